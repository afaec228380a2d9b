import {
  companyOrigin,
  companyPages,
  providerContent,
  providerItems,
  type WebPage,
} from './content.ts';
import { newDocument, type SandboxDocument } from './documents.ts';
import type { Provider } from './requests.ts';
import { stableId } from './stable-id.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Before its latest change a record has been there for this long. */
const DAYS_BEFORE = 35;

/** What is special about a record; without anything it is ingested, and linked to no article. */
type Special = {
  /** It is linked to an article of Knowledge. */
  linked?: true;
  /** The text before its latest change; it is linked, too. */
  before?: string;
  /** How its job ended, where that was badly. */
  failure?: { status: string; error: string };
  /** Registered, and then never queued. */
  neverIngested?: true;
  /** A job that was queued and never started, which Fini's support has to look into. */
  stuck?: true;
  /** Ingested without English-specific processing. */
  english?: false;
};

/**
 * The paths of the company's site that the workspace has, and how many days ago each changed last.
 * The help centre is not among them: trying the server out begins with ingesting it.
 */
const web: [path: string, daysAgo: number, special?: Special][] = [
  ['/', 2, { linked: true }],
  ['/prices', 1, { before: 'City €27, Tour €37, Volt €65 and Mule €75 a month.' }],
  ['/cities', 3, { before: 'Larkspur is in Utrecht, Ghent and Freiburg.' }],
  ['/about', 118, { linked: true }],
  ['/terms', 204, { linked: true }],
  ['/privacy', 391, { linked: true }],
  ['/jobs', 96],
  ['/news/winter-tyres', 19],
  ['/news/aarhus', 47],
  ['/de/preise', 1, { english: false }],
  ['/partners', 5],
  ['/insurance/claims', 5],
  ['/press/photos.zip', 61],
  ['/configurator', 12],
  ['/stores', 0, { stuck: true }],
];

const EXPIRED = 'connection has expired or lost its permission to this resource';

/** Titles of what the workspace has of each provider; of everything else an import can be tried. */
const provided: [provider: Provider, title: string, daysAgo: number, special?: Special][] = [
  ['notion', 'Tone of voice', 14, { linked: true }],
  [
    'notion',
    'Refund decisions',
    6,
    { before: 'Agents may credit up to €30 without asking. Above that a team lead decides.' },
  ],
  ['notion', 'Greeting and sign-off', 152],
  ['notion', 'Saved replies', 8, { neverIngested: true }],
  ['zendesk', 'Adjust your saddle', 23, { linked: true }],
  ['zendesk', 'Oil the chain', 23, { linked: true }],
  ['zendesk', 'Charged twice', 9, { before: 'A pending charge vanishes within two working days.' }],
  ['zendesk', 'My voucher does not work', 133],
  ['confluence', 'Service levels', 30, { linked: true }],
  ['confluence', 'Intake check', 177],
  [
    'confluence',
    'Fleet counts',
    4,
    { failure: { status: 'FAILED', error: `The confluence ${EXPIRED}` } },
  ],
];

/** What cannot be listed: files of Google Drive, and those uploaded in the dashboard. */
const files: [source: string, name: string, mimeType: string, daysAgo: number, Special?][] = [
  ['googledrive', 'Spare parts and prices', 'application/vnd.google-apps.spreadsheet', 40],
  [
    'googledrive',
    'Training plan for new mechanics',
    'application/vnd.google-apps.document',
    16,
    { failure: { status: 'FAILED', error: `The googledrive ${EXPIRED}` } },
  ],
  ['files', "Owner's handbook Volt.pdf", 'application/pdf', 72, { linked: true }],
  [
    'files',
    'Insurance certificate (scan).pdf',
    'application/pdf',
    72,
    { failure: { status: 'COMPLETED', error: 'No usable content: no text could be extracted' } },
  ],
];

/**
 * The records of a workspace that has been in use for a year: several kinds, of different ages, some
 * changed, failed, or linked to knowledge, one never ingested and one that hangs in the queue.
 */
export function livedIn(now: number): SandboxDocument[] {
  const pagesByUrl = new Map(companyPages.map((page) => [page.url, page]));
  const pages = web.map(([path, daysAgo, special = {}]) => {
    const page = pagesByUrl.get(companyOrigin + path);
    if (page === undefined) throw new Error(`no page ${path}`);
    return pageRecord(page, changedAt(now, daysAgo, special), special);
  });
  const items = provided.map(([provider, title, daysAgo, special = {}]) => {
    const item = providerItems.find((one) => one.provider === provider && one.title === title);
    if (item === undefined) throw new Error(`no ${provider} item ${title}`);
    const { originalUrl, externalId, mimeType, object: type, paragraphs } = item;
    const fields = { externalId, title, mimeType: mimeType ?? 'text/html', type };
    const document = recordOf(provider, originalUrl, changedAt(now, daysAgo, special));
    return { ...document, ...fields, ...jobFields({ paragraphs, ...special }, originalUrl) };
  });
  const uploads = files.map(([source, title, mimeType, daysAgo, special = {}]) => {
    const externalId = stableId(`${source} ${title}`);
    const url =
      source === 'files'
        ? `https://storage.fini.example/uploads/${encodeURIComponent(title)}`
        : `https://drive.google.com/file/d/${externalId.replaceAll('-', '')}/view`;
    const document = recordOf(source, url, changedAt(now, daysAgo, special));
    const { paragraphs } = providerContent(externalId, title);
    const fields = { externalId, title, mimeType, type: 'file' };
    return { ...document, ...fields, ...jobFields({ paragraphs, ...special }, url) };
  });
  return [...pages, ...items, ...uploads].map((document, index) => {
    // No two changed at the same time.
    const at = Date.parse(document.updatedAt) - index * MINUTE_MS;
    return { ...document, updatedAt: new Date(at).toISOString() };
  });
}

function pageRecord(page: WebPage, at: number, special: Special): SandboxDocument {
  const { url, title, paragraphs, failure } = page;
  const state = jobFields({ paragraphs, ...special, ...(failure && { failure }) }, url);
  // Fini has no title of a page that it never read.
  const isRead = state.success === true;
  const fields = isRead ? { title, mimeType: 'text/html', type: 'page' } : {};
  return { ...recordOf('web', url, at), english: special.english ?? true, ...fields, ...state };
}

function recordOf(source: string, url: string, at: number): SandboxDocument {
  const document = newDocument(source, url, at - DAYS_BEFORE * DAY_MS);
  return { ...document, id: stableId(url), updatedAt: new Date(at).toISOString() };
}

/** What hangs has done so for most of an hour. */
function changedAt(now: number, daysAgo: number, { stuck }: Special): number {
  return stuck ? now - 47 * MINUTE_MS : now - daysAgo * DAY_MS - 3 * 60 * MINUTE_MS;
}

/** What a record's latest job has left in it. */
function jobFields(
  { paragraphs, before, linked, failure, neverIngested, stuck }: Special & { paragraphs: string[] },
  url: string,
): Partial<SandboxDocument> {
  if (neverIngested) return {};
  const linkedJobId = stableId(`job ${url}`);
  if (stuck) return { linkedJobId, linkedJobStatus: 'PENDING' };
  if (failure) {
    const { status: linkedJobStatus, error } = failure;
    return { linkedJobId, linkedJobStatus, success: false, error };
  }
  const isChanged = before !== undefined;
  return {
    linkedJobId,
    linkedJobStatus: 'COMPLETED',
    success: true,
    error: '',
    storageUrl: `https://storage.fini.example/${stableId(url)}.json`,
    paragraphs,
    oldParagraphs: isChanged ? [before] : [],
    linkedKnowledgeId: linked || isChanged ? stableId(`article ${url}`) : null,
    linkedOperation: isChanged ? 'UPDATE_ARTICLE' : 'ADD_ARTICLE_TO_FOLDER',
    linkedReason: isChanged
      ? 'The source was ingested before'
      : 'No article covers this source yet',
    changed: isChanged,
  };
}
