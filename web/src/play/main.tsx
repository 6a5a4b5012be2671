//! The player's app starts here.

import '../style/base.css';
import '../style/table.css';
import '../style/chat.css';
import { start } from '../ui/start';
import { App } from './app';
import { invitation } from './invitation';

// A scanned code opens the app with the invite behind the #, also where the app is open already.
invitation();
addEventListener('hashchange', () => {
  if (invitation()) location.reload();
});
// An extra on HTTPS alone: an installed app says in its own words that the box is away. Nothing depends on it.
if (location.protocol === 'https:') navigator.serviceWorker?.register('/sw.js').catch(() => undefined);
start(App);
