//! The rules in short, why a deal can be trusted, and what to do when it does not work.

import { t } from '../base/i18n';
import { ruleWord } from '../cards/deck';
import { Face } from '../cards/face';
import { useTitle } from '../ui/hooks';
import { Heading } from '../ui/parts';
import { Page } from './app';

/** A card for each special number: its id, and what it does. */
const SPECIAL = [
  [0, 1, 'help.hold'],
  [13, 2, 'help.pick2'],
  [27, 5, 'help.pick3'],
  [48, 8, 'help.suspend'],
  [41, 14, 'help.general'],
  [49, 20, 'help.whot'],
] as const;

export function Help() {
  useTitle(`${t('help.title')} · ${t('app.title')}`);
  return (
    <Page at="help">
      <Heading>{t('help.title')}</Heading>
      <section>
        <h2>{t('help.rules')}</h2>
        <ul class="prose">
          <li>{t('help.aim')}</li>
          <li>{t('help.follow')}</li>
          <li>{t('help.market')}</li>
          <li>{t('help.end')}</li>
          <li>{t('help.count')}</li>
        </ul>
      </section>
      <section>
        <h2>{t('help.cards')}</h2>
        <ul class="specials">
          {SPECIAL.map(([id, number, key]) => (
            <li key={id}>
              <span class="mini">
                <Face id={id} rule={ruleWord(number)} />
              </span>
              <span>{t(key)}</span>
            </li>
          ))}
        </ul>
      </section>
      <section>
        <h2>{t('help.fair')}</h2>
        <p>{t('help.fair.text')}</p>
      </section>
      <section>
        <h2>{t('help.keys')}</h2>
        <p>{t('help.keys.text')}</p>
      </section>
      <section>
        <h2>{t('help.trouble')}</h2>
        <p>{t('help.trouble.text')}</p>
      </section>
    </Page>
  );
}
