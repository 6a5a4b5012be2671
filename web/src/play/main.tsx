//! The player's app starts here.

import { render } from 'preact';
import { apply } from '../base/look';
import { listen } from '../base/router';
import { followTabs } from '../base/session';
import '../style/base.css';
import '../style/table.css';
import '../style/chat.css';
import { App } from './app';

apply();
followTabs();
listen();
const root = document.getElementById('app');
if (root) render(<App />, root);
