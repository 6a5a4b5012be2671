//! The sentences of the staff's app.

import { dictionary } from '../base/i18n';
import { staffEn } from '../words/staff.en';
import { staffPcm } from '../words/staff.pcm';

export const s = dictionary(staffEn, staffPcm);
