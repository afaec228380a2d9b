import type { FiniArticle } from '../fini/schemas.ts';
import { articleFieldText } from './article-list.ts';

/**
 * A change that publishing a draft makes in one part of its live article. If nothing is removed and
 * nothing added, only the order of the items or the spacing of the text changes.
 */
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
  /** The removed text: all of a short part, otherwise its paragraphs or items. */
  readonly removed: readonly string[];
  /** The added text. */
  readonly added: readonly string[];
}

/** Finds the differences between a live article and a draft of it. */
export function differencesBetween(live: FiniArticle, draft: FiniArticle): Difference[] {
  // A field that the draft lacks is not sent, so it stays as it is.
  const same = { active: draft.active ?? live.active, public: draft.public ?? live.public };
  const parts = partsOf({ ...draft, ...same });
  return partsOf(live).flatMap(({ part, items, whole }) => {
    const other = parts.find((one) => one.part === part);
    if (whole === other?.whole) return [];
    const others = other?.items ?? [];
    const removed = without(items, others);
    const added = without(others, items);
    return [{ part, removed, added }];
  });
}

/** A part of an article. */
interface ArticlePart {
  readonly part: Difference['part'];
  readonly items: readonly string[];
  /** Equal for two parts only if they are equal in every respect. */
  readonly whole: string;
}

function partsOf(article: FiniArticle): ArticlePart[] {
  const { title, mainKnowledge, agentInstruction, questions, keywords, escalation } = article;
  const { parentFolderId, active } = article;
  const one = (value: unknown) => (value === null || value === '' ? [] : [articleFieldText(value)]);
  const paragraphs = (mainKnowledge ?? '').split('\n').map((line) => line.trim());
  const parts: Omit<ArticlePart, 'whole'>[] = [
    { part: 'title', items: one(title) },
    { part: 'folder', items: one(parentFolderId) },
    { part: 'text', items: paragraphs.filter((line) => line !== '') },
    { part: 'agent instruction', items: one(agentInstruction) },
    { part: 'questions', items: questions.map(articleFieldText) },
    { part: 'keywords', items: keywords.map(articleFieldText) },
    { part: 'escalation', items: one(escalation) },
    { part: 'active', items: one(active) },
    { part: 'in the help center', items: one(article.public) },
  ];
  return parts.map(({ part, items }) => ({
    part,
    items,
    whole: part === 'text' ? (mainKnowledge ?? '') : JSON.stringify(items),
  }));
}

/** The items without those of another list. Each of those removes one item. */
function without(items: readonly string[], others: readonly string[]): string[] {
  const unmatched = new Map<string, number>();
  for (const other of others) unmatched.set(other, (unmatched.get(other) ?? 0) + 1);
  return items.filter((item) => {
    const count = unmatched.get(item) ?? 0;
    unmatched.set(item, count - 1);
    return count <= 0;
  });
}
