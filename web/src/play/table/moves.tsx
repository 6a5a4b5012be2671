//! The moves of a match, as the box lets this player see them.

import { get } from '../../base/api';
import type { Game, GameEvent } from '../../base/contract';
import { t } from '../../base/i18n';
import { useLoad } from '../../ui/hooks';
import { Button, Dialog, List, Scroll } from '../../ui/parts';
import { happened } from './said';

interface Step {
  seq: number;
  events: GameEvent[];
}

export function Moves({ game, onClose }: { game: Game; onClose: () => void }) {
  const steps = useLoad(async () => {
    const { items } = await get<{ items: Step[] }>(`/api/v1/games/${game.game_id}/events?after=0`);
    return items.filter(step => happened(step.events, game)).reverse();
  }, [game.game_id, game.seq]);
  return (
    <Dialog title={t('more.moves')} onClose={onClose}>
      <Scroll label={t('more.moves')}>
        <List from={steps} empty={t('moves.none')}>
          {step => (
            <li key={step.seq} class="row move">
              <span class="soft tabular">{step.seq}</span>
              <span class="grow">{happened(step.events, game)}</span>
            </li>
          )}
        </List>
      </Scroll>
      <Button onClick={onClose}>{t('go.close')}</Button>
    </Dialog>
  );
}
