//! What can be reached from the table besides playing: saying something, moves, rules, resigning.

import { useState } from 'preact/hooks';
import { get, post } from '../../base/api';
import type { Conversation, Game } from '../../base/contract';
import { t } from '../../base/i18n';
import { newId } from '../../base/random';
import { myId } from '../../base/session';
import { useAction, useLoad } from '../../ui/hooks';
import { Button, Dialog, Fault } from '../../ui/parts';
import { isBot, otherName } from '../games';
import type { Match } from './match';
import { Moves } from './moves';
import { RulesOf } from './rules';
import { other } from './said';

const PHRASES = ['say.luck', 'say.well', 'say.wait', 'say.hurry', 'say.again'] as const;

/** Quick phrases go through the chat, where one is allowed; to everybody else there is nothing to say. */
export function Say({ game }: { game: Game }) {
  const [open, show] = useState(false);
  const them = game.players[other(game.seat)]?.user_id;
  return (
    <>
      <Button kind="quiet" disabled={isBot(game)} onClick={() => show(true)}>
        {t('say')}
      </Button>
      {open && them && <SayDialog game={game} them={them} onClose={() => show(false)} />}
    </>
  );
}

function SayDialog({ game, them, onClose }: { game: Game; them: string; onClose: () => void }) {
  const allowed = useLoad(() => get<{ entitled: boolean }>(`/api/v1/entitlements/chat/${myId()}/${them}`), [them]);
  const { busy, fault, run } = useAction(async (body: string) => {
    const { id } = await post<Conversation>('/api/v1/conversations', {
      participant_id: them,
    });
    await post(`/api/v1/conversations/${id}/messages`, {
      body,
      client_message_id: newId(),
    });
    onClose();
  });
  return (
    <Dialog title={t('say.title', { name: otherName(game) })} onClose={onClose}>
      {allowed.data?.entitled === false && <p>{t('say.none')}</p>}
      {allowed.data?.entitled && (
        <div class="stack">
          {PHRASES.map(key => (
            <Button key={key} busy={busy} onClick={() => void run(t(key))}>
              {t(key)}
            </Button>
          ))}
          <a class="button quiet" href="/chat">
            {t('say.open')}
          </a>
        </div>
      )}
      <Fault of={fault ?? allowed.fault} />
      <Button onClick={onClose}>{t('go.close')}</Button>
    </Dialog>
  );
}

type Sheet = 'menu' | 'moves' | 'rules' | 'resign';

export function More({ match, game }: { match: Match; game: Game }) {
  const [sheet, show] = useState<Sheet | null>(null);
  const close = () => show(null);
  return (
    <>
      <Button kind="quiet" onClick={() => show('menu')}>
        {t('more')}
      </Button>
      {sheet === 'menu' && (
        <Dialog title={t('more')} onClose={close}>
          <div class="stack">
            <Button onClick={() => show('moves')}>{t('more.moves')}</Button>
            <Button onClick={() => show('rules')}>{t('more.rules')}</Button>
            <a class="button plain" href="/play">
              {t('go.lobby')}
            </a>
            <Button kind="danger" onClick={() => show('resign')}>
              {t('more.resign')}
            </Button>
            <Button kind="quiet" onClick={close}>
              {t('go.close')}
            </Button>
          </div>
        </Dialog>
      )}
      {sheet === 'moves' && <Moves game={game} onClose={close} />}
      {sheet === 'rules' && <RulesOf options={game.options} onClose={close} />}
      {sheet === 'resign' && (
        <Dialog title={t('more.resign')} onClose={close}>
          <p>{t('resign.sure', { name: otherName(game) })}</p>
          <div class="stack">
            <Button
              kind="danger"
              onClick={() => {
                match.act({ type: 'resign' });
                close();
              }}
            >
              {t('resign.yes')}
            </Button>
            <Button onClick={close}>{t('go.cancel')}</Button>
          </div>
        </Dialog>
      )}
    </>
  );
}
