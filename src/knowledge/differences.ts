import type { FiniArticle } from '../fini/knowledge.ts';

/** What publishing a draft changes in one part of its live article. */
export interface Difference {
  readonly part:
    | 'title'
    | 'folder'
    | 'text'
    | 'agent instruction'
    | 'questions'
    | 'keywords'
    | 'escalation'
    | 'active'
    | 'in the help center';
  /** What goes: the whole of a short part, else its paragraphs or items. */
  readonly removed: readonly string[];
  /** What comes in its place. */
  readonly added: readonly string[];
}

/** What differs between a live article and a draft of it. Where an item stands does not matter. */
export function differencesBetween(live: FiniArticle, draft: FiniArticle): Difference[] {
  // A field that the draft lacks is not sent, so it stays as it is.
  const same = { active: draft.active ?? live.active, public: draft.public ?? live.public };
  const parts = partsOf({ ...draft, ...same });
  return partsOf(live).flatMap(({ part, items }) => {
    const others = parts.find((one) => one.part === part)?.items ?? [];
    const removed = without(items, others);
    const added = without(others, items);
    return removed.length === 0 && added.length === 0 ? [] : [{ part, removed, added }];
  });
}

/** A value of an open type as text: as it is where it is text, else as JSON. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function partsOf(article: FiniArticle): { part: Difference['part']; items: readonly string[] }[] {
  const { title, mainKnowledge, agentInstruction, questions, keywords, escalation } = article;
  const { parentFolderId, active } = article;
  const one = (value: unknown) => (value === null || value === '' ? [] : [textOf(value)]);
  const paragraphs = (mainKnowledge ?? '').split('\n').map((line) => line.trim());
  return [
    { part: 'title', items: one(title) },
    { part: 'folder', items: one(parentFolderId) },
    { part: 'text', items: paragraphs.filter((line) => line !== '') },
    { part: 'agent instruction', items: one(agentInstruction) },
    { part: 'questions', items: questions.map(textOf) },
    { part: 'keywords', items: keywords.map(textOf) },
    { part: 'escalation', items: one(escalation) },
    { part: 'active', items: one(active) },
    { part: 'in the help center', items: one(article.public) },
  ];
}

/** The items without those of another list, each taken out once. */
function without(items: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1);
  return items.filter((item) => {
    const count = left.get(item) ?? 0;
    left.set(item, count - 1);
    return count <= 0;
  });
}
