//! Catches what a screen throws: what matters is safe on the box.

import { Component, type ComponentChildren } from 'preact';
import { t } from '../base/i18n';
import { Button, Heading } from './parts';

export class Guard extends Component<{ children: ComponentChildren }, { broken: boolean }> {
  override state = { broken: false };

  static override getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <main class="page">
        <Heading>{t('crash.title')}</Heading>
        <p>{t('crash.text')}</p>
        <Button kind="main" onClick={() => location.reload()}>
          {t('crash.reload')}
        </Button>
      </main>
    );
  }
}
