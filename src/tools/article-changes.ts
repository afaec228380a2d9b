import { type Difference, differencesBetween } from '../engine/differences.ts';
import type { Folders } from '../engine/folder-paths.ts';
import type { DraftToPublish } from '../engine/publish.ts';
import { bounded, PATH_SEPARATOR, shown, TITLE_LENGTH } from '../text.ts';

/** Maximum number of removed items of a part to show, and of added ones. */
const ITEMS_OF_A_CHANGE = 2;
/** Maximum length of each in characters, and a shorter one if many drafts are shown at once. */
const ITEM_LENGTH = 160;
const SHORT_ITEM_LENGTH = 40;
const FEW_DRAFTS = 5;

/** Length of the common beginning to show of two texts that differ late, in characters. */
const COMMON_LENGTH = 20;

/** The changes that publishing a draft makes in its live article, one phrase for each part. */
export function changesOf(
  { draft, original }: DraftToPublish,
  folders: Folders,
  count: number,
): string[] {
  if (draft === null || original === null) return [];
  const length = count <= FEW_DRAFTS ? ITEM_LENGTH : SHORT_ITEM_LENGTH;
  const name = ({ part }: Difference, item: string) =>
    JSON.stringify(part === 'folder' ? (folderName(item, folders) ?? item) : bounded(item, length));
  const changes = differencesBetween(original, draft).map((difference) => {
    const { part, removed, added } = difference;
    const [from, to] = [removed[0], added[0]];
    if (removed.length === 0 && added.length === 0) return `${part}: only its order or spacing`;
    const isOne = removed.length === 1 && added.length === 1 && part !== 'text';
    if (isOne && from !== undefined && to !== undefined) {
      const start = part === 'folder' ? 0 : beginningOf(from, to);
      const since = (text: string) => (start === 0 ? text : `…${text.slice(start)}`);
      return `${part}: ${name(difference, since(from))} → ${name(difference, since(to))}`;
    }
    const list = (items: readonly string[], verb: string) => {
      if (items.length === 0) return [];
      const named = items.slice(0, ITEMS_OF_A_CHANGE).map((item) => name(difference, item));
      const more = items.length > named.length ? ' and others' : '';
      return [`${items.length} ${verb} (${named.join(', ')}${more})`];
    };
    const noun = part === 'text' ? 'text, by paragraph' : part;
    return `${noun}: ${[...list(removed, 'removed'), ...list(added, 'added')].join(', ')}`;
  });
  return changes.length > 0 ? changes : ['nothing: it says the same as the live article'];
}

/**
 * The titles down to a folder, or its ID, with that it is gone if the tree does not have it; undefined
 * if there is none.
 */
export function folderName(id: string | null, { byId, isWhole }: Folders): string | undefined {
  if (id === null) return undefined;
  const titles = byId.get(id)?.path.map((title) => shown(title, TITLE_LENGTH) ?? 'untitled');
  if (titles !== undefined) return titles.join(PATH_SEPARATOR);
  return isWhole ? `a folder that no longer exists, or is too new for the folder tree (${id})` : id;
}

/** The position from which to show two texts so that their first difference is visible. */
function beginningOf(one: string, other: string): number {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  return same <= SHORT_ITEM_LENGTH / 2 ? 0 : same - COMMON_LENGTH;
}
