//! The rules of one match in words, as its options have them.

import type { Options } from '../../base/contract';
import { t } from '../../base/i18n';
import { Button, Dialog, Scroll } from '../../ui/parts';

function lines(options: Options): string[] {
  const pick = (mode: Options['pick_two'] | Options['pick_three'], n: number, cards: number) =>
    mode === 'off' ? [] : [t(`rules.pick.${mode}`, { n, cards })];
  return [
    t(`rules.kind.${options.match_kind}`, { n: options.match_target }),
    t('rules.hand', { n: options.hand_size }),
    ...pick(options.pick_two, 2, 2),
    ...pick(options.pick_three, 5, 3),
    ...(options.whot_defends ? [t('rules.whot')] : []),
    t(`rules.general.${options.general_market}`),
    t(`rules.empty.${options.market_empty}`),
    ...(options.voluntary_draw ? [] : [t('rules.mustplay')]),
    ...(options.draw_then_play ? [t('rules.drawplay')] : []),
    ...(options.special_finish ? [] : [t('rules.finish')]),
    ...(options.last_card_call === 'required' ? [t('rules.call')] : []),
    ...(options.turn_seconds > 0 ? [t('rules.clock', { n: options.turn_seconds })] : []),
    ...(options.timeout_limit > 0 && options.turn_seconds > 0
      ? [t('rules.timeouts', { n: options.timeout_limit })]
      : []),
  ];
}

export function RulesOf({ options, onClose }: { options: Options; onClose: () => void }) {
  return (
    <Dialog title={t('more.rules')} onClose={onClose}>
      <Scroll label={t('more.rules')}>
        <ul class="prose">
          {lines(options).map(line => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </Scroll>
      <a class="button quiet" href="/help">
        {t('help.title')}
      </a>
      <Button onClick={onClose}>{t('go.close')}</Button>
    </Dialog>
  );
}
