//! What every app does first: the look of this phone, other tabs, links, and the page itself.

import { type ComponentType, render } from 'preact';
import { apply } from '../base/look';
import { listen } from '../base/router';
import { followTabs } from '../base/session';
import { Guard } from './guard';

export function start(App: ComponentType): void {
  apply();
  followTabs();
  listen();
  const root = document.getElementById('app');
  if (!root) return;
  render(
    <Guard>
      <App />
    </Guard>,
    root,
  );
}
