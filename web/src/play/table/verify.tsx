//! “Verify this deal”: fetches the proof and checks it on the phone. The checking itself is loaded when asked for.

import { useState } from 'preact/hooks';
import { get } from '../../base/api';
import type { Game, GameEvent, Proof } from '../../base/contract';
import { t } from '../../base/i18n';
import { useAction } from '../../ui/hooks';
import { Button, Fault } from '../../ui/parts';
import { ownNonce } from '../nonces';

interface Said {
  good: boolean;
  text: string;
}

export function Verify({ game }: { game: Game }) {
  const [said, say] = useState<Said[] | null>(null);
  const { busy, fault, run } = useAction(async () => {
    const [proof, steps, fair] = await Promise.all([
      get<Proof>(`/api/v1/games/${game.game_id}/proof`),
      get<{ items: { events: GameEvent[] }[] }>(`/api/v1/games/${game.game_id}/events?after=-1`),
      import('../../fair/check'),
    ]);
    const events = fair.byRound(steps.items);
    const own = (round: number) => ownNonce(game.game_id, round);
    say(
      proof.rounds.map((round, index) => {
        const seen = events.get(round.round) ?? [];
        const fate = fair.check(game.game_id, game.seat, proof.commitments[index], round, own(round.round), seen);
        return {
          good: fate === 'good',
          text: t(`verify.${fate}`, { n: round.round }),
        };
      }),
    );
  });
  return (
    <>
      <Button busy={busy} onClick={run}>
        {t('over.verify')}
      </Button>
      <Fault of={fault} />
      <div role="status">
        {said?.length === 0 && <p class="notice warn">{t('verify.later')}</p>}
        {said?.map(one => (
          <p key={one.text} class={`notice ${one.good ? 'good' : 'danger'}`}>
            {one.text}
          </p>
        ))}
      </div>
    </>
  );
}
