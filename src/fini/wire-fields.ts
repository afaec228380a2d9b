import * as z from 'zod';
import { bounded, seenUrl, WORD_LENGTH } from '../text.ts';

/*
 * The fields of Fini's records, read tolerantly: unknown ones are dropped, and null, missing or odd
 * ones become null or empty.
 */

/** Text of any length. */
export const text = z.string().nullable().catch(null);

/** One word, so that no URL can pass for more than that, wherever it is shown. */
export const url = z.string().overwrite(seenUrl).nullable().catch(null);

/** Fini's IDs are UUIDs; another comes as far as it can be shown, or counts as missing. */
export const id = z
  .string()
  .overwrite((given) => bounded(given, WORD_LENGTH))
  .min(1);

/** An ID that may be missing. */
export const optionalId = id.nullable().catch(null);

/** True or false, where Fini says. */
export const flag = z.boolean().nullable().catch(null);

/** A list of anything. */
export const list = z.array(z.unknown()).catch([]);

/** A list of texts; what is none is left out. */
export const strings = list.transform((items) => items.filter((item) => typeof item === 'string'));

/** A list of IDs; what is none is left out. */
export const ids = z
  .array(z.unknown())
  .catch([])
  .transform((items) => items.flatMap((item) => id.safeParse(item).data ?? []));

/** A status in capitals: one of Fini's, or one that this server does not know. */
export const status = text.transform((given) => given?.toUpperCase() ?? null);
