//! The picker for the shape that a Whot asks for. Closing it leaves the card in the hand.

import type { Shape } from '../../base/contract';
import { t } from '../../base/i18n';
import { SHAPES } from '../../cards/deck';
import { ShapeIcon } from '../../cards/face';
import { Button, Dialog } from '../../ui/parts';

export function Need({ onNeed, onClose }: { onNeed: (shape: Shape) => void; onClose: () => void }) {
  return (
    <Dialog title={t('need')} onClose={onClose}>
      <div class="shapes">
        {SHAPES.map(shape => (
          <button type="button" key={shape} class="shape-choice" onClick={() => onNeed(shape)}>
            <ShapeIcon shape={shape} size={40} />
            <span>{t(`shape.${shape}`)}</span>
          </button>
        ))}
      </div>
      <Button onClick={onClose}>{t('go.cancel')}</Button>
    </Dialog>
  );
}
