//! The sentences of the owner's app.

import { dictionary } from '../base/i18n';
import { ownerEn } from '../words/owner.en';
import { ownerPcm } from '../words/owner.pcm';

export const o = dictionary(ownerEn, ownerPcm);
