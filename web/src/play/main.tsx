//! The player's app starts here.

import { render } from 'preact';
import { apply } from '../base/look';
import { listen } from '../base/router';
import { followTabs } from '../base/session';
import '../style/base.css';
import '../style/table.css';
import '../style/chat.css';
import { App } from './app';
import { invitation } from './invitation';

apply();
followTabs();
listen();
// A scanned code opens the app with the invite behind the #, also where the app is open already.
invitation();
addEventListener('hashchange', () => {
  if (invitation()) location.reload();
});
const root = document.getElementById('app');
if (root) render(<App />, root);
