import { wordsOf } from './articles.ts';
import { stableId } from './stable-id.ts';

/** A folder of articles. */
export type SandboxFolder = {
  /** Folder ID, a UUID. */
  id: string;
  title: string;
  description: string;
  /** Null at the top. */
  parentFolderId: string | null;
  /** The title of the folder at the top that it is in, or its own. */
  root: string;
};

// `parent > parent > title | description`, each parent before what is in it.
const text = `
Larkspur | The company, its cities and everything that fits nowhere else
Larkspur > Cities and stores | Where we are, opening hours and news of the cities
Larkspur > Legal | Terms, privacy and contracts
Renting | From the choice of a bike to its return
Renting > Plans and prices | What City, Tour, Volt and Mule cost, and what the price includes
Renting > Plans and prices > Discounts and vouchers | Students, vouchers and annual plans
Renting > Delivery | Delivery, pick-up, frame sizes and the first ride
Renting > Subscription | Pause, cancel, switch plans, moving house
Billing | Payment, invoices and refunds
Billing > Payments | Payment methods, billing date, failed payments, deposit, charges
Billing > Payments > Refunds | When money comes back, and how long it takes
Billing > Invoices | Invoices and receipts, company name and VAT number
Riding | The bike and its upkeep
Riding > Repairs | Book a repair, flat tyre, brakes, saddle, chain, lights
Riding > Repairs > Electric bikes | Battery care, range, a Volt that does not switch on
Riding > Theft and safety | Report a theft, lock your bike, accidents, insurance
Account | Login, password, rewards, address and language
Team | For those who answer: not shown to customers
Team > Playbooks | Tone of voice, saved replies, greeting, outage, escalation, onboarding
Team > Playbooks > Refund decisions | What an agent may credit
Team > Workshop | Workshop handbook, intake check, brake service, fleet counts
Team > Quality | Service levels, quality reviews and training`;

/** The folders that a workspace in use has, each parent before what is in it. */
export const knownFolders: SandboxFolder[] = text
  .trim()
  .split('\n')
  .map((line) => {
    const [path = '', description = ''] = line.split(' | ');
    const titles = path.split(' > ');
    const parent = titles.slice(0, -1).join(' > ');
    return {
      id: stableId(`folder ${path}`),
      title: titles.at(-1) ?? '',
      description,
      parentFolderId: parent === '' ? null : stableId(`folder ${parent}`),
      root: titles[0] ?? '',
    };
  });

/** The folder that an article with this title and text fits into best; the first where none does. */
export function bestFolder(
  folders: readonly SandboxFolder[],
  title: string,
  paragraphs: readonly string[],
): SandboxFolder | undefined {
  const titleWords = stems(title);
  const textWords = stems(paragraphs.join(' '));
  let best: { folder: SandboxFolder; score: number } | undefined;
  for (const folder of folders) {
    const own = [...stems(folder.title)];
    const described = [...stems(folder.description)];
    const score =
      6 * own.filter((word) => titleWords.has(word)).length +
      4 * described.filter((word) => titleWords.has(word)).length +
      [...own, ...described].filter((word) => textWords.has(word)).length;
    if (best === undefined || score > best.score) best = { folder, score };
  }
  return best?.folder;
}

function stems(words: string): Set<string> {
  const minor = /^(and|the|how|what|when|you|your|for|not|that|its|from|are|does|all|with|has)$/;
  const kept = wordsOf(words).filter((word) => !minor.test(word));
  return new Set(kept.map((word) => word.replace(/s$/, '')));
}
