/** An article of the help center, live or a draft, with every field of the contract. */
export type SandboxArticle = {
  /** Article ID, a UUID. A draft's ID differs from that of the article it becomes. */
  id: string;
  title: string;
  /** The text that agents answer from. */
  mainKnowledge: string;
  /** Instructions for agents that answer from it. */
  agentInstruction: string;
  /** Questions of customers that the article answers. */
  questions: string[];
  keywords: string[];
  /** The rule for handing over to a person. */
  escalation: string;
  /** The folder that it is in, or will be in; null in a workspace without folders. */
  parentFolderId: string | null;
  active: boolean;
  /** True if the help center shows it. */
  public: boolean;
  origin: string;
  /** 1 for a new one; each published update adds 1. */
  version: number;
  /** The live article that this draft updates; null for any other. */
  originalArticleId: string | null;
  /** The original's version when the draft was made. */
  originalArticleVersion: number | null;
  /** True once this draft was published; null for a live article, and in the record of a new one's draft. */
  isDraftPublished: boolean | null;
};

/** The written part of an article, without its folder, version and original. */
type Written = Pick<
  SandboxArticle,
  'title' | 'mainKnowledge' | 'agentInstruction' | 'questions' | 'keywords' | 'escalation'
>;

const IMPERATIVES =
  /^(adjust|book|cancel|choose|find|give|move|oil|pause|replace|report|reset|switch)\b/i;
const MINOR_WORDS = new Set(
  'about after again before between could every first other should their there these those until which while within would'.split(
    ' ',
  ),
);

/** Writes an article from a source's title and text. */
export function writeArticle(title: string, paragraphs: readonly string[]): Written {
  const text = paragraphs.join('\n\n');
  const topic = (title.charAt(0).toLowerCase() + title.slice(1)).replace(/\byour\b/g, 'my');
  return {
    title,
    mainKnowledge: text,
    agentInstruction:
      'Answer from this article only, in two or three sentences. Begin with what the customer has to do.',
    questions: questionsOf(title, topic, text),
    keywords: keywordsOf(`${title} ${text}`),
    escalation: /[€$£]/.test(text)
      ? 'Hand over to a person if the customer disputes a charge or a price.'
      : 'Hand over to a person if the article does not answer the question.',
  };
}

/** The rest of an article generated from a source, as an update of `original` or as a new article. */
export function standing(parentFolderId: string | null, original: SandboxArticle | null) {
  return {
    parentFolderId,
    active: original?.active ?? true,
    public: original?.public ?? false,
    origin: 'sources',
    version: 1,
    originalArticleId: original?.id ?? null,
    originalArticleVersion: original?.version ?? null,
  };
}

function questionsOf(title: string, topic: string, text: string): string[] {
  const [, how = IMPERATIVES.test(topic) ? topic : undefined] = /^how to (.*)/.exec(topic) ?? [];
  const isHardToName = / not | than |^before /.test(topic);
  const other = isHardToName
    ? `${title}: what should I do?`
    : `What do I need to know about ${topic}?`;
  const questions = [how === undefined ? other : `How do I ${how}?`];
  if (/[€$£]/.test(text)) questions.push('How much does it cost?');
  if (/\b(hours?|days?|weeks?|months?)\b/.test(text)) questions.push('How long does it take?');
  if (/\bapp\b/.test(text)) questions.push('Where do I find this in the app?');
  return questions;
}

/** The longer words, the most frequent first. */
function keywordsOf(text: string): string[] {
  const counts = new Map<string, number>();
  for (const word of lowerCaseWords(text)) {
    if (word.length > 4 && !MINOR_WORDS.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts].sort(([, one], [, other]) => other - one).map(([word]) => word);
  return words.length > 0 ? words.slice(0, 6) : ['general'];
}

/** The words of a text, in lower case. */
export function lowerCaseWords(text: string): string[] {
  return text.toLowerCase().match(/\p{L}{3,}/gu) ?? [];
}
