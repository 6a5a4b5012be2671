//! The sentences of the owner's app.

import { dictionary } from '../base/i18n';
import { ownerEn } from '../words/owner.en';
import { ownerPcm } from '../words/owner.pcm';

export const o = dictionary(ownerEn, ownerPcm);

/** The names of findings whose words need no figure. */
type Told = Extract<keyof typeof ownerEn, `${'what' | 'do' | 'why' | 'mend'}.${string}`>;

/** Whether a finding of the box, or a reason to wait, has words here; a newer box may find more. */
export const has = (key: string): key is Told => key in ownerEn;
