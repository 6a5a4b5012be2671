//! Short sounds made on the spot, and vibration. No files, and silence wherever the phone does not allow it.

import { look } from './look';

export type Sound = 'play' | 'draw' | 'turn' | 'last' | 'win' | 'lose' | 'message';

/** Notes of a sound: pitch in Hz, start and length in seconds. */
const NOTES: Record<Sound, [number, number, number][]> = {
  play: [[320, 0, 0.06]],
  draw: [[210, 0, 0.08]],
  turn: [
    [523, 0, 0.1],
    [784, 0.11, 0.14],
  ],
  last: [
    [880, 0, 0.09],
    [880, 0.13, 0.09],
  ],
  win: [
    [523, 0, 0.12],
    [659, 0.13, 0.12],
    [784, 0.26, 0.24],
  ],
  lose: [
    [392, 0, 0.16],
    [294, 0.18, 0.26],
  ],
  message: [[660, 0, 0.09]],
};
const BUZZ: Partial<Record<Sound, number[]>> = {
  turn: [40],
  last: [30, 40, 30],
  win: [60, 50, 90],
};

let context: AudioContext | null = null;

export function sound(name: Sound): void {
  const buzz = BUZZ[name];
  if (look.value.vibration && buzz) navigator.vibrate?.(buzz);
  if (!look.value.sound || document.visibilityState === 'hidden') return;
  try {
    context ??= new AudioContext();
    void context.resume();
    for (const note of NOTES[name]) play(context, note);
  } catch {
    // No sound device, or the browser forbids sound until the person touches the page.
  }
}

function play(audio: AudioContext, [pitch, start, length]: [number, number, number]): void {
  const from = audio.currentTime + start;
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.type = 'triangle';
  tone.frequency.value = pitch;
  volume.gain.setValueAtTime(0.0001, from);
  volume.gain.exponentialRampToValueAtTime(0.16, from + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.0001, from + length);
  tone.connect(volume).connect(audio.destination);
  tone.start(from);
  tone.stop(from + length + 0.02);
}
