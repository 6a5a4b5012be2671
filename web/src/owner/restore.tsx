//! A fresh box becomes the one of a backup: the file, the key of the sheet, a look at what it is, and the way there.

import { useEffect, useState } from 'preact/hooks';
import { get, post } from '../base/api';
import type { RestoreLook, RestoreState } from '../base/contract';
import { ask } from '../base/fetch';
import { clock, day, t } from '../base/i18n';
import { Unreachable } from '../base/problem';
import { forget, held } from '../base/session';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Choice, Fault, Field, Heading, Loading } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

const RESTORE = '/api/v1/box/restore';
/** Bytes of a piece: in base64 it fits into what the box takes at once. */
const PIECE = 45_000;
/** How often a restore under way is looked at. */
const LOOK_MS = 1000;
/** Stands for a file of this phone among those of the box. */
const OWN = '';

const at = (iso: string): string => `${day(iso)}, ${clock(iso)}`;

interface Order {
  file: string | null;
  recovery_key: string;
  adopt: boolean;
}

export function Restore() {
  useTitle(`${o('res')} · ${o('app')}`);
  const [made, follow] = useState<string | null>(null);
  if (made) {
    return (
      <main class="page wide">
        <Heading>{o('res')}</Heading>
        <Following made={made} onFailed={() => follow(null)} />
      </main>
    );
  }
  return (
    <Page at="/box">
      <Heading>{o('res')}</Heading>
      <Ask follow={follow} />
      <a class="button plain" href="/box/setup">
        {o('setup')}
      </a>
    </Page>
  );
}

function Ask({ follow }: { follow: (made: string) => void }) {
  const state = useLoad(() => get<RestoreState>(RESTORE), []);
  const [chosen, choose] = useState<string | null>(null);
  const [file, pick] = useState<File | null>(null);
  const [key, write] = useState('');
  const [sent, tell] = useState<number | null>(null);
  const [seen, show] = useState<RestoreLook | null>(null);
  const [adopt, gone] = useState(false);
  const files = state.data?.files ?? [];
  const from = chosen ?? files[0]?.name ?? OWN;
  const order = (): Order => ({ file: from || null, recovery_key: key, adopt });
  const look = useAction(async () => {
    if (from === OWN && file) await send(file, tell);
    show(await post<RestoreLook>(`${RESTORE}/look`, order()));
  });
  const go = useAction(async () => {
    await post(RESTORE, order());
    follow(seen?.made_at ?? '');
  });
  if (!state.data) return <Loading from={state} />;
  if (!state.data.possible) {
    return (
      <section class="panel stack">
        <p>{o('res.not')}</p>
        <details lang="en-NG">
          <summary>{o('health.box')}</summary>
          <p class="soft">{state.data.hindrance}</p>
        </details>
      </section>
    );
  }
  if (seen) {
    return (
      <section class="panel stack">
        <h2>{o('res.found')}</h2>
        <Found of={seen} />
        {seen.enrolled && <p class="notice warn">{o('res.enrolled')}</p>}
        {seen.elsewhere && (
          <label class="switch">
            <span>{o('res.adopt')}</span>
            <input type="checkbox" checked={adopt} onChange={event => gone(event.currentTarget.checked)} />
          </label>
        )}
        <Fault of={go.fault} />
        <div class="pair">
          <Button kind="main" busy={go.busy} disabled={seen.elsewhere && !adopt} onClick={go.run}>
            {o('res.go')}
          </Button>
          <Button onClick={() => show(null)}>{t('go.back')}</Button>
        </div>
      </section>
    );
  }
  return (
    <form
      class="panel stack"
      onSubmit={event => {
        event.preventDefault();
        void look.run();
      }}
    >
      <p>{o('res.how')}</p>
      {state.data.fault && (
        <p class="notice danger" role="alert">
          {o('res.failed', { why: state.data.fault })}
        </p>
      )}
      {files.length > 0 && (
        <Choice
          label={o('res.which')}
          value={from}
          options={[...files.map(one => [one.name, one.name] as const), [OWN, o('res.own')] as const]}
          onChange={choose}
        />
      )}
      {from === OWN && (
        <div class="field">
          <label for="restore-file">{o('res.file')}</label>
          <input
            id="restore-file"
            type="file"
            accept=".age"
            onChange={event => pick(event.currentTarget.files?.[0] ?? null)}
          />
        </div>
      )}
      <Field
        label={o('res.key')}
        hint={o('res.key.hint')}
        value={key}
        onInput={write}
        secret
        attributes={{ autocomplete: 'off', autocapitalize: 'characters', spellcheck: false }}
      />
      {look.busy && sent !== null && file && (
        <progress class="steps" max={file.size} value={sent} aria-label={o('res.sending')} />
      )}
      <Fault of={look.fault} />
      <Button kind="main" submit busy={look.busy} disabled={!key.trim() || (from === OWN && !file)}>
        {o('res.look')}
      </Button>
    </form>
  );
}

function Found({ of }: { of: RestoreLook }) {
  const lines: [string, string][] = [
    [o('res.made'), at(of.made_at)],
    [o('sheet.signature'), of.signature],
    [o('res.matches'), String(of.live_matches)],
    [o('res.holds'), String(of.holds)],
  ];
  return (
    <>
      <dl class="facts">
        {lines.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p>{o('res.compare')}</p>
    </>
  );
}

/** Sends a file piece by piece; after a lost answer the box says from where to go on. */
async function send(file: File, tell: (sent: number) => void): Promise<void> {
  let sent = 0;
  do {
    const bytes = new Uint8Array(await file.slice(sent, sent + PIECE).arrayBuffer());
    const data = btoa(String.fromCharCode(...bytes));
    const { received } = await post<{ received: number }>(`${RESTORE}/pieces`, { offset: sent, data });
    sent = received;
    tell(sent);
  } while (sent < file.size);
}

type Stage = 'running' | 'coming' | 'back';

/** Follows a restore until the box is back as the other one, which knows nothing of who is signed in here. */
function Following({ made, onFailed }: { made: string; onFailed: () => void }) {
  const [stage, set] = useState<Stage>('running');
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const look = async () => {
      const next = await staged();
      if (over) return;
      if (next === 'failed') return onFailed();
      set(next);
      if (next !== 'back') timer = setTimeout(look, LOOK_MS);
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <section class="panel stack" aria-live="polite">
      {stage === 'running' && <p>{o('res.running')}</p>}
      {stage === 'coming' && <p>{o('res.coming')}</p>}
      {stage === 'back' && (
        <>
          <p class="notice good">{o('res.back', { at: made ? at(made) : '' })}</p>
          <p>{o('res.enter')}</p>
          <Button kind="main" onClick={() => forget()}>
            {t('login.start')}
          </Button>
        </>
      )}
    </section>
  );
}

/** How far it is. The session of the fresh box is none of the restored one's: that it is refused means that it is there. */
async function staged(): Promise<Stage | 'failed'> {
  try {
    const { state } = await ask<RestoreState>({ method: 'GET', path: RESTORE, token: held.value?.access });
    if (state === 'failed') return 'failed';
    return state === 'running' ? 'running' : 'coming';
  } catch (fault) {
    return fault instanceof Unreachable ? 'coming' : 'back';
  }
}
