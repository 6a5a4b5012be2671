//! The owner's app starts here.

import '../style/base.css';
import '../style/desk.css';
import { start } from '../ui/start';
import { App } from './app';

start(App);
