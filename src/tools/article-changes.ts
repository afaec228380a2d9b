import { type Difference, differencesBetween } from '../engine/differences.ts';
import type { PlacedFolder } from '../engine/folder-paths.ts';
import type { DraftToPublish } from '../engine/publish.ts';
import { bounded, PATH_SEPARATOR, shown, TITLE_LENGTH } from '../text.ts';

/** How many items of a part are shown of what goes, and of what comes. */
const ITEMS_OF_A_CHANGE = 2;
/** How long each may be, in characters; and shorter where many drafts are shown at once. */
const ITEM_LENGTH = 160;
const SHORT_ITEM_LENGTH = 40;
const FEW_DRAFTS = 5;

/** How much is shown of what two texts that differ late begin with, in characters. */
const COMMON_LENGTH = 20;

/** The changes that publishing a draft makes in its live article, a phrase for each part. */
export function changesOf(
  { draft, original }: DraftToPublish,
  folders: ReadonlyMap<string, PlacedFolder>,
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

/** The titles down to a folder, or its ID; undefined where there is none. */
export function folderName(
  id: string | null,
  folders: ReadonlyMap<string, PlacedFolder>,
): string | undefined {
  const path = id === null ? undefined : folders.get(id)?.path;
  const titles = path?.map((title) => shown(title, TITLE_LENGTH) ?? 'untitled');
  return titles?.join(PATH_SEPARATOR) ?? id ?? undefined;
}

/** The place from which to show two texts, so that the first difference is seen. */
function beginningOf(one: string, other: string): number {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  return same <= SHORT_ITEM_LENGTH / 2 ? 0 : same - COMMON_LENGTH;
}
