//! What the owner may choose on the screen: the name of the box, and settings that nothing else says.

import { useState } from 'preact/hooks';
import { put } from '../base/api';
import type { BoxSettings } from '../base/contract';
import { useAction } from '../ui/hooks';
import { Button, Choice, Fault, Field } from '../ui/parts';
import { o } from './words';

/** Days, hours and numbers that are offered; what was said otherwise stands beside them. */
const OFFERED = {
  open_registration: ['false', 'true'],
  code_sender: ['owner', 'off'],
  archive_days: ['30', '60', '90', '180', '365'],
  hold_grace_hours: ['0', '24', '72', '168'],
  backup_keep: ['7', '14', '30', '60'],
} as const;
type Name = keyof typeof OFFERED;

interface Props {
  of: BoxSettings;
  onSaved: (now: BoxSettings) => void;
}

const save = (name: string, value: string | null) => put<BoxSettings>(`/api/v1/box/settings/${name}`, { value });

export function Naming({ of, onSaved }: Props) {
  const [name, write] = useState(of.box_name ?? '');
  const [done, tell] = useState(false);
  const { busy, fault, run } = useAction(async () => {
    onSaved(await save('box_name', name.trim() || null));
    tell(true);
  });
  return (
    <form
      class="panel stack"
      onSubmit={event => {
        event.preventDefault();
        void run();
      }}
    >
      <Field
        label={o('name')}
        hint={o('name.hint')}
        value={name}
        onInput={text => {
          write(text);
          tell(false);
        }}
        attributes={{ autocomplete: 'off', maxLength: 64 }}
      />
      <Fault of={fault} />
      <Button submit busy={busy}>
        {o('set.save')}
      </Button>
      <div role="status">{done && <p class="notice good">{o('set.saved')}</p>}</div>
    </form>
  );
}

export function Choices({ of, onSaved }: Props) {
  return (
    <section class="panel stack">
      <h2>{o('set.choose')}</h2>
      {of.changeable.some(one => one.waits) && <p class="notice warn">{o('set.waits')}</p>}
      {of.changeable.map(one => (
        <One key={one.name} name={one.name as Name} of={of} onSaved={onSaved} />
      ))}
    </section>
  );
}

function One({ name, of, onSaved }: Props & { name: Name }) {
  const choice = of.changeable.find(one => one.name === name);
  const running = String(of.settings.find(one => one.name === name)?.value ?? '');
  const { busy, fault, run } = useAction(async (value: string) => onSaved(await save(name, value)));
  const value = choice?.chosen ?? running;
  if (choice?.locked) {
    return (
      <p>
        {o(`set.${name}`)}: <strong>{shown(name, running)}</strong>
        <span class="soft"> · {o('set.locked')}</span>
      </p>
    );
  }
  const values = [...new Set<string>([...OFFERED[name], value])];
  return (
    <div aria-busy={busy}>
      <Choice
        label={o(`set.${name}`)}
        value={value}
        options={values.map(one => [one, shown(name, one)] as const)}
        onChange={next => void run(next)}
      />
      <Fault of={fault} />
      <p class="soft" role="status">
        {busy ? o('set.saving') : choice?.waits ? o('set.waits.one', { now: shown(name, running) }) : ''}
      </p>
    </div>
  );
}

function shown(name: Name, value: string): string {
  switch (name) {
    case 'open_registration':
      return o(value === 'true' ? 'set.yes' : 'set.no');
    case 'code_sender':
      return o(`set.sender.${value as 'owner' | 'webhook' | 'off'}`);
    case 'archive_days':
      return o('set.days', { n: value });
    case 'hold_grace_hours':
      return o('set.hours', { n: value });
    case 'backup_keep':
      return value;
  }
}
