//! A screen with the menu of its app at its foot.

import type { ComponentChildren } from 'preact';
import { t } from '../base/i18n';
import { Icon, type IconName } from './icons';

export interface Place {
  path: string;
  icon: IconName;
  name: string;
}

interface Props {
  places: readonly Place[];
  at: string;
  /** Tables of staff and owners need more room than a phone's screen. */
  wide?: boolean;
  children: ComponentChildren;
}

export function Shell({ places, at, wide, children }: Props) {
  return (
    <div class="shell">
      <main class={wide ? 'page wide' : 'page'}>{children}</main>
      <nav class="menu" aria-label={t('menu.label')}>
        {places.map(({ path, icon, name }) => (
          <a key={path} href={path} aria-current={path === at ? 'page' : undefined}>
            <Icon name={icon} />
            <span>{name}</span>
          </a>
        ))}
      </nav>
    </div>
  );
}
