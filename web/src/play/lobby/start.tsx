//! Ways into a match, and what became of earlier ones.

import { useState } from 'preact/hooks';
import { get } from '../../base/api';
import type { Game, GameInvite, Page, Standing } from '../../base/contract';
import { t } from '../../base/i18n';
import { Refusal } from '../../base/problem';
import { navigate } from '../../base/router';
import { held } from '../../base/session';
import { useAction, useLoad } from '../../ui/hooks';
import { Button, Choice, Fault, Field, List } from '../../ui/parts';
import { challenge, games, type Level, otherName, type Preset, practise } from '../games';
import { wins } from '../lobby';

const PRESETS: readonly Preset[] = ['nigerian', 'quick', 'strict', 'pagat'];
const LEVELS: readonly Level[] = ['easy', 'medium', 'hard'];
/** People suggested for a challenge. */
const SUGGESTED = 4;

function Rules({ value, onChange }: { value: Preset; onChange: (preset: Preset) => void }) {
  const options = PRESETS.map(preset => [preset, t(`preset.${preset}`)] as const);
  return <Choice label={t('lobby.rules')} value={value} options={options} onChange={onChange} />;
}

export function Challenge({ known, onSent }: { known: GameInvite[] | null; onSent: () => Promise<void> }) {
  const [name, setName] = useState('');
  const [preset, setPreset] = useState<Preset>('nigerian');
  const past = useLoad(() => games('over'), []);
  const { busy, fault, run } = useAction(async (who: string) => {
    await challenge(who, preset);
    setName('');
    await onSent();
  });
  const me = held.value?.user.username;
  const people = [...(known ?? []).map(one => one.recipient_username), ...(past.data ?? []).map(human)];
  const some = [...new Set(people)].filter(one => one && one !== me).slice(0, SUGGESTED);
  const nobody = fault instanceof Refusal && (fault.code === 'not_found' || 'recipient_username' in fault.fields);
  return (
    <section class="panel">
      <h2>{t('lobby.people')}</h2>
      <form
        class="stack"
        noValidate
        onSubmit={event => {
          event.preventDefault();
          if (name.trim()) void run(name);
        }}
      >
        <Field
          label={t('lobby.name')}
          value={name}
          onInput={setName}
          fault={nobody ? t('err.player_unknown') : undefined}
          attributes={{
            autocomplete: 'off',
            autocapitalize: 'none',
            spellcheck: false,
            maxLength: 32,
          }}
        />
        {some.length > 0 && (
          <div class="chips">
            {some.map(one => (
              <Button
                key={one}
                kind="quiet"
                label={t('lobby.challenge.who', { name: one })}
                onClick={() => setName(one)}
              >
                {one}
              </Button>
            ))}
          </div>
        )}
        <Rules value={preset} onChange={setPreset} />
        {!nobody && <Fault of={fault} />}
        <Button kind="main" submit busy={busy} disabled={!name.trim()}>
          {t('lobby.challenge')}
        </Button>
      </form>
    </section>
  );
}

/** The other player of a match, unless that was the box. */
const human = (game: Game): string =>
  game.players[1 - game.seat]?.user_id ? (game.players[1 - game.seat]?.username ?? '') : '';

export function Practise() {
  const [level, setLevel] = useState<Level>('easy');
  const [preset, setPreset] = useState<Preset>('nigerian');
  const { busy, fault, run } = useAction(async () => navigate(`/play/g/${await practise(level, preset)}`));
  return (
    <section class="panel">
      <h2>{t('lobby.practise')}</h2>
      <form
        class="stack"
        onSubmit={event => {
          event.preventDefault();
          void run();
        }}
      >
        <Choice
          label={t('lobby.level')}
          value={level}
          options={LEVELS.map(one => [one, t(`level.${one}`)] as const)}
          onChange={setLevel}
        />
        <Rules value={preset} onChange={setPreset} />
        <Fault of={fault} />
        <Button kind="main" submit busy={busy}>
          {t('lobby.practise.start')}
        </Button>
      </form>
    </section>
  );
}

export function Past() {
  const list = useLoad(() => games('over'), []);
  if (!list.data?.length) return null;
  return (
    <section class="panel">
      <h2>{t('lobby.past')}</h2>
      <List from={list} empty="">
        {game => (
          <li key={game.game_id} class="row">
            <span class="grow">
              {otherName(game)}
              <span class="soft tabular">
                {t('lobby.series', {
                  mine: game.rounds_won[game.seat],
                  theirs: game.rounds_won[game.seat === 0 ? 1 : 0],
                })}
              </span>
            </span>
            <a class="button plain" href={`/play/g/${game.game_id}`}>
              {t('lobby.see')}
            </a>
          </li>
        )}
      </List>
    </section>
  );
}

export function Board() {
  const list = useLoad(async () => (await get<Page<Standing>>('/api/v1/games/leaderboard?period=week')).items, []);
  return (
    <section class="panel">
      <h2>{t('lobby.board')}</h2>
      <List from={list} empty={t('lobby.board.none')}>
        {one => (
          <li key={one.user_id} class="row">
            <span class="grow">{one.username}</span>
            <span class="soft tabular">{wins(one.won, one.played)}</span>
          </li>
        )}
      </List>
    </section>
  );
}
