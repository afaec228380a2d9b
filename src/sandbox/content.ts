import { isWebUrl, type Provider } from './requests.ts';

/** The web site the sandbox knows by heart. Its links can be crawled and its pages ingested. */
export const siteOrigin = 'https://help.larkspur.example';
/** The company's own site, which a lived-in workspace has already. */
export const companyOrigin = 'https://www.larkspur.example';

/** What ingesting a page or a provider's resource comes to. */
export type Content = {
  /** The title its record gets. */
  title: string;
  /** Its text, one string a paragraph; empty where there is none to be had. */
  paragraphs: string[];
  /** How the job ends where it yields nothing: its final status and Fini's reason; else null. */
  failure: { status: string; error: string } | null;
};

/** What a provider holds: a page, database or article, with what ingesting it comes to. */
export type ProviderItem = Content & {
  provider: Provider;
  externalId: string;
  originalUrl: string;
  mimeType: string | null;
  object: string;
};

/** A page of a web site. */
export type WebPage = Content & {
  /** Absolute URL; without a trailing slash, but for the site's root. */
  url: string;
};

type ZendeskNode = {
  object: 'category' | 'section' | 'article';
  id: number;
  name?: string;
  title?: string;
  url?: string;
  children?: ZendeskNode[];
};
type ConfluencePage = { id: string; title: string; url: string; pages: ConfluencePage[] };
type ConfluenceSpace = { key: string; title: string; url: string; pages: ConfluencePage[] };

// A heading, then a line for each paragraph, or `! STATUS reason` where the job yields nothing.
const webText = `
# / | Larkspur Help Centre
Larkspur rents out bicycles by the month. One price covers the bike, the upkeep, a lock and cover against theft.
Look for an answer by topic below, or write to hello@larkspur.example. We reply within one working day.
# /getting-started | Getting started
From choosing a bike to your first ride takes about three days. This section leads you through each step.
You need to be 18, have an address in one of our cities, and own a debit or credit card.
# /getting-started/choose-a-plan | Choose a plan
City costs €29 a month, Tour €39, the electric Volt €69 and the cargo bike Mule €79.
All plans include repairs, a frame lock and a chain lock. Volt and Mule include one battery check a year.
You can move to another plan after the first full month at no cost.
# /getting-started/frame-sizes | Find your frame size
City and Tour come in S (155 to 168 cm), M (166 to 180 cm) and L (178 to 195 cm). Volt and Mule fit everyone from 155 cm.
If you are between two sizes, take the smaller one: the saddle of ours goes up further than it goes down.
# /getting-started/delivery | Delivery and pick-up
We deliver on weekdays between 8 and 20 o'clock, in a two-hour window that you choose when ordering. Delivery is free.
The rider needs to see an identity card. If nobody is at home, we try once more on the next working day.
# /getting-started/first-ride | Before your first ride
Check the tyres, both brakes and the lights. The saddle is right when your leg is almost straight at the lowest point.
Register the frame number in the app within 48 hours: theft cover starts with the registration.
# /getting-started/bike-finder | Bike finder
! COMPLETED No usable content: the page held no text after extraction
# /billing | Billing
What you pay, when you pay it, and how to change it. Invoices arrive by e-mail and stay in the app for ten years.
All prices include value added tax.
# /billing/payment-methods | Payment methods
We take Visa, Mastercard, American Express, SEPA direct debit and, in the Netherlands, iDEAL for the first payment.
Change the method in the app under Account, Payment. The new one is charged from the next billing date on.
# /billing/billing-date | Your billing date
You are billed on the day of the month on which your bike was delivered. If a month lacks that day, we bill on its last day.
The date can be moved once a year, by up to 14 days. The days between are charged at the daily rate.
# /billing/invoices | Invoices and receipts
Each invoice is sent as a PDF on the billing date. Earlier ones are in the app under Account, Invoices.
To have a company name and a VAT number on the invoice, enter both before the billing date. We cannot reissue older ones.
# /billing/refunds | Refunds
If you return the bike within the first 14 days, you get the whole first month back.
After that, unused days are not refunded, except when a repair takes longer than 24 hours: then each day without a bike is credited.
Refunds go to the payment method that was charged and take 5 to 10 working days.
# /billing/failed-payments | Failed payments
If a payment fails, we try again after 3, 7 and 14 days and tell you by e-mail each time.
After the third failure the subscription is paused, and a fee of €5 applies. Pay in the app and it goes on within the hour.
# /billing/deposit | Deposit
City and Tour need no deposit. Volt and Mule need €150, paid with the first month.
It is returned within ten working days of the bike's coming back, less damage that is not wear.
# /billing/discounts | Discounts and vouchers
Students pay 15 % less on City and Tour with a valid student card, checked once a year.
Only one voucher counts at a time. Enter it before ordering: it cannot be added afterwards.
# /billing/price-changes | Price changes
We announce a new price by e-mail at least 60 days ahead. You may cancel until the day it takes effect.
Annual plans keep their price until the year is over.
# /billing/late-return-fees | Late return fees
A bike that is not handed back on the agreed day costs €3 a day, for at most 30 days.
After 30 days we charge its present value: €350 for City, €480 for Tour, €1,900 for Volt and €2,600 for Mule.
# /subscription | Your subscription
Pause, change or end your subscription at any time in the app.
Changes made before noon take effect on the same day.
# /subscription/pause | Pause your subscription
You can pause for one to three months a year, for €5 a month. The bike stays with you, and theft cover goes on.
A pause begins on the next billing date.
# /subscription/cancel | Cancel your subscription
Cancel in the app under Subscription, End. The notice period is until the end of the running month.
Choose a pick-up day within seven days of the end, or bring the bike to a store.
# /subscription/switch-plan | Switch plans
Switching is free once the first full month is over. We bring the new bike and take the old one along.
The price changes on the day of the swap, by the day.
# /subscription/move-house | Moving house
Within a city, just change your address. To another city of ours, give us a week and we hand over a like bike there.
If we are not in your new city, the subscription ends without notice on the day of the move.
# /bikes | Bikes and upkeep
How to look after your bike, and when to leave it to us.
Repairs for wear are part of every plan.
# /bikes/book-a-repair | Book a repair
Book in the app under Repair. A mechanic comes to you within 24 hours on working days, or you ride to a store without booking.
If we cannot mend it on the spot, you get another bike of the same kind.
# /bikes/flat-tyre | Flat tyre
Flat tyres are mended at no cost, up to four a year. Each further one costs €12.
Do not ride on: a ruined rim counts as damage.
# /bikes/brakes | Brakes
If a lever touches the handlebar, or you hear metal, stop riding and book a repair marked as urgent.
Squealing in rain is normal and ends after a few hard stops.
# /bikes/battery-care | Battery care
Charge between 5 and 30 °C and keep the battery between 20 and 80 % if you do not ride for a week.
A Volt goes 50 to 70 km on one charge. Below freezing it is about a third less.
# /bikes/winter | Riding in winter
Winter tyres for Tour and Mule are free from November on; book them as a repair.
Wipe salt off the chain weekly. Rust on the chain is wear, not damage.
# /bikes/manuals-2026.zip | Owner's manuals 2026
! FAILED Unsupported content type: application/zip
# /safety | Theft and safety
Every bike is covered against theft when it is locked as we ask.
In an accident call the emergency services first, then us.
# /safety/report-theft | Report a theft
Report it to the police and in the app within 24 hours, with the police's reference and both keys.
You pay €60 towards a City or Tour, and €120 towards a Volt or Mule. A new bike comes within three working days.
# /safety/how-to-lock | How to lock your bike
Close the frame lock and chain the frame to something fixed. Without both, theft is not covered.
At night a Volt belongs indoors, or its battery does.
# /safety/accidents | Accidents
Take photographs and the names of those involved, and send us both within three days.
Damage by your own fault costs at most €90 an event.
# /account | Your account
Change your name, address, language and how we reach you in the app under Account.
Your e-mail address is also your login.
# /account/reset-password | Reset your password
Ask for a link on the login page. It is valid for 30 minutes and can be used once.
No mail? Look into the spam folder, then check that you use the address that your invoices go to.
# /account/rewards | Your rewards
! FAILED Page requires authentication: redirected to https://help.larkspur.example/login
# /business | Larkspur for business
From five bikes on, employers get one bill, one contact and mechanics who come to the office every month.
Write to business@larkspur.example for an offer. Trials last 30 days.
# /business/partner-prices | Partner price list
! FAILED Blocked by robots.txt: /business/partner-prices is disallowed for FiniBot`;

const companyText = `
# / | Larkspur: bicycles by the month
A bicycle for as long as you like, with upkeep, a lock and cover against theft in one price.
# /prices | Plans and prices
City €29, Tour €39, Volt €69 and Mule €79 a month, each with repairs and two locks.
Annual plans cost a tenth less and keep their price for the whole year.
# /cities | Our cities
Larkspur is in Utrecht, Ghent, Freiburg and, since this spring, in Aarhus. We deliver within each city's ring road.
# /about | About Larkspur
Founded in Utrecht in 2017 by two mechanics. Some 41,000 people ride one of our bikes today.
# /terms | Terms of rental
The contract runs by the month. Either side may end it until the last day of the month.
The bike stays the property of Larkspur BV and may not be lent for money.
# /privacy | Privacy notice
We keep invoices for ten years, as the law requires, and everything else for six months after you leave.
# /jobs | Working at Larkspur
We look for mechanics in every city and for riders who like early mornings. Write to jobs@larkspur.example.
# /news/winter-tyres | Winter tyres are here
From the first of November we fit winter tyres to Tour and Mule at no cost. Book them as a repair.
# /news/aarhus | Larkspur comes to Aarhus
Our fourth city opens in April with a store at the harbour and 600 bikes.
# /de/preise | Tarife und Preise
City 29 €, Tour 39 €, Volt 69 € und Mule 79 € im Monat, jeweils mit Reparaturen und zwei Schlössern.
# /partners | Partner area
! FAILED Page requires authentication: redirected to https://www.larkspur.example/login
# /insurance/claims | Insurance claims
! FAILED Blocked by robots.txt: /insurance/ is disallowed for FiniBot
# /press/photos.zip | Press photographs
! FAILED Unsupported content type: application/zip
# /configurator | Build your bike
! COMPLETED No usable content: the page held no text after extraction
# /stores | Stores and opening hours
Each store is open from Tuesday to Saturday between 10 and 18 o'clock. Utrecht is open on Mondays too.`;

const notionText = `
page > Tone of voice | Say what happens next and when. Never blame the rider. Use first names once the customer does.
page > Refund decisions | Agents may credit up to €50 without asking. Above that a team lead decides within a day.
page > Theft cases, step by step | Check the frame registration first, then the police's reference, then both keys. A key missing means no cover.
page > Escalation to the workshop | Tag the ticket "workshop" and add a photograph. The workshop answers until 17 o'clock on the same day.
page > Greeting and sign-off | Open with the name, close with the city team: "Your Larkspur team in Utrecht".
page > Outage playbook | If the app is down, post on the status page within ten minutes and turn on the banner in the help centre.
page > Onboarding for new agents | Week one is listening, week two is chat with a partner, week three is on your own.
database > Saved replies | Late delivery: We are sorry, your bike is on its way and will be with you by tomorrow noon.
database > City contacts | Utrecht: utrecht@larkspur.example. Ghent: gent@larkspur.example. Freiburg: freiburg@larkspur.example.`;

const zendeskText = `
Riding > Upkeep > Adjust your saddle | Loosen the lever below the saddle, set it to the height of your hip, and close the lever firmly.
Riding > Upkeep > Oil the chain | Once a month, and after heavy rain. Use the small bottle that came with the bike, and wipe off what is too much.
Riding > Upkeep > Replace a light battery | Both lights take two AAA batteries. Rechargeable ones work but last half as long.
Riding > Electric bikes > Volt does not switch on | Take the battery out, wait ten seconds, and click it in again. If the display stays dark, book a repair.
Riding > Electric bikes > Range is less than expected | Cold, soft tyres and the Sport mode each cost range. Pump the tyres to 4 bar first.
Money > Charges > A charge I do not recognise | Charges appear as LARKSPUR BV. Compare the amount with the invoice of the same day before you dispute it.
Money > Charges > Charged twice | A pending and a booked charge can show at once. The pending one vanishes within five working days.
Money > Vouchers > My voucher does not work | Vouchers are for new subscriptions only, and capital letters matter.
Money > Vouchers > Give a voucher | Gift vouchers are available for three, six or twelve months and are valid for three years.`;

const confluenceText = `
Operations > Workshop handbook | The rules that all city workshops share. City pages may add to them and never take away.
Operations > Workshop handbook > Intake check | Photograph both sides, read the frame number, note the wear of chain and pads.
Operations > Workshop handbook > Brake service | Pads below 1 mm are changed. Cables are changed every second service.
Operations > Workshop handbook > Brake service > Hydraulic brakes | Bleed only with mineral oil. A spongy lever after bleeding means a leak: change the hose.
Operations > Fleet counts | Counted on the first Monday of the month. Missing bikes are reported to Fleet within the day.
Support > Service levels | Chat within two minutes, e-mail within one working day, theft within four hours.
Support > Service levels > Holidays | On public holidays only theft and accidents are answered.
Support > Quality reviews | Five conversations an agent and week are read by a peer, against the five questions below.
Support > Quality reviews > The five questions | Was it right, was it kind, was it short, was it complete, and did it say what comes next?`;

/** Every page of the web site. */
export const webPages: WebPage[] = pagesOf(siteOrigin, webText);

/** Every page of the company's own site. */
export const companyPages: WebPage[] = pagesOf(companyOrigin, companyText);

function pagesOf(origin: string, text: string): WebPage[] {
  return text
    .split(/^# /m)
    .slice(1)
    .map((block) => {
      const [heading = '', ...paragraphs] = block.trim().split('\n');
      const [path = '', title = ''] = heading.split(' | ');
      const page = { url: `${origin}${path}`, title };
      const [, status, error = ''] = /^! (\S+) (.*)/.exec(paragraphs[0] ?? '') ?? [];
      if (status === undefined) return { ...page, paragraphs, failure: null };
      return { ...page, paragraphs: [], failure: { status, error } };
    });
}

const knownPages = [...webPages, ...companyPages];
const pagesByUrl = new Map(knownPages.map((page) => [comparableUrl(page.url), page]));
const knownOrigins: readonly string[] = [siteOrigin, companyOrigin];

/** What all providers hold, as one flat list. */
export const providerItems: ProviderItem[] = [];

const notionResources = leaves(notionText, 38500000).map(
  ({ parents: [object], title, text, number }) => {
    const externalId = `7c1e9b52-40d3-4f6a-9b1d-${String(number).padStart(12, '0')}`;
    const originalUrl = `https://www.notion.so/larkspur/${externalId.replaceAll('-', '')}`;
    const mimeType = `application/vnd.notion.${object}`;
    const named = { provider: 'notion' as const, externalId, originalUrl, mimeType };
    providerItems.push({ ...named, object: object ?? 'page', ...contentOf(title, text) });
    return {
      externalId,
      title,
      originalUrl,
      mimeType,
      iconLink: 'https://www.notion.so/icons/bicycle_green.svg',
      object,
    };
  },
);

const zendeskCategories: ZendeskNode[] = [];
for (const { parents, title, text, number } of leaves(zendeskText, 4402118230)) {
  let siblings = zendeskCategories;
  for (const [depth, name] of parents.entries()) {
    let parent = siblings.find((node) => node.name === name);
    if (!parent) {
      const object = depth === 0 ? 'category' : 'section';
      parent = { object, id: number + depth + 1, name, children: [] };
      siblings.push(parent);
    }
    siblings = parent.children ?? [];
  }
  const url = `https://larkspur.zendesk.com/hc/en-us/articles/${number}`;
  siblings.push({ object: 'article', id: number, title, url });
  const named = { provider: 'zendesk' as const, externalId: String(number), originalUrl: url };
  providerItems.push({ ...named, mimeType: null, object: 'article', ...contentOf(title, text) });
}

const confluenceSpaces = Object.entries({ OPS: 'Operations', CARE: 'Support' }).map(
  ([key, title]): ConfluenceSpace => {
    return { key, title, url: `https://larkspur.atlassian.net/wiki/spaces/${key}`, pages: [] };
  },
);
for (const { parents, title, text, number } of leaves(confluenceText, 98304000)) {
  const id = String(number);
  const space = confluenceSpaces.find((known) => known.title === parents[0]);
  let siblings = space?.pages ?? [];
  for (const parent of parents.slice(1)) {
    siblings = siblings.find((page) => page.title === parent)?.pages ?? siblings;
  }
  const url = `${space?.url}/pages/${id}`;
  siblings.push({ id, title, url, pages: [] });
  const named = { provider: 'confluence' as const, externalId: id, originalUrl: url };
  providerItems.push({ ...named, mimeType: null, object: 'page', ...contentOf(title, text) });
}

const resourceContent = new Map(providerItems.map((item) => [item.externalId, item]));

function contentOf(title: string, text: string): Content {
  return { title, paragraphs: [text], failure: null };
}

/** The lines, each `parent > parent > title | text`, numbered from `first` on. */
function leaves(lines: string, first: number) {
  return lines
    .trim()
    .split('\n')
    .map((line, index) => {
      const [path = '', text = ''] = line.split(' | ');
      const parents = path.split(' > ');
      const title = parents.pop() ?? '';
      return { parents, title, text, number: first + index * 7919 };
    });
}

/** What the provider holds beside these external IDs, each provider in a shape of its own. */
export function providerResources(provider: Provider, registered: Set<string | null>): object[] {
  switch (provider) {
    case 'notion':
      return notionResources.filter((resource) => !registered.has(resource.externalId));
    case 'zendesk':
      return withoutArticles(zendeskCategories, registered);
    case 'confluence':
      return confluenceSpaces.map((space) => ({
        ...space,
        pages: withoutPages(space.pages, registered),
      }));
  }
}

function withoutArticles(nodes: ZendeskNode[], registered: Set<string | null>): ZendeskNode[] {
  return nodes
    .filter((node) => node.object !== 'article' || !registered.has(String(node.id)))
    .map((node) =>
      node.children ? { ...node, children: withoutArticles(node.children, registered) } : node,
    );
}

/** The pages below a registered one take its place, so that they can still be found. */
function withoutPages(pages: ConfluencePage[], registered: Set<string | null>): ConfluencePage[] {
  return pages.flatMap((page) => {
    const below = withoutPages(page.pages, registered);
    return registered.has(page.id) ? below : [{ ...page, pages: below }];
  });
}

/** The URL without trailing slashes, query and fragment, for comparing. */
function comparableUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

/** What ingesting this URL comes to: a page of the site, or made up for any other host. */
export function webContent(url: string): Content {
  const address = comparableUrl(url);
  const page = pagesByUrl.get(address);
  if (page) return page;
  if (!knownOrigins.includes(new URL(url).origin)) return madeUpContent(address);
  const error = 'Failed to fetch page: HTTP 404 Not Found';
  return { ...madeUpContent(address), failure: { status: 'FAILED', error } };
}

/** What ingesting a provider's resource with this ID comes to, made up where it is not known. */
export function providerContent(externalId: string, title: string): Content {
  return resourceContent.get(externalId) ?? { ...madeUpContent(title), title };
}

/** What a crawl finds from this URL: the pages at and below it, made up for an unknown host. */
export function crawlFrom(url: string): string[] {
  const seed = comparableUrl(url);
  if (knownOrigins.includes(new URL(url).origin)) {
    return knownPages
      .map((page) => page.url)
      .filter((found) => comparableUrl(found) === seed || found.startsWith(`${seed}/`));
  }
  const names =
    'overview installation configuration billing account security teams api errors contact';
  return [url, ...names.split(' ').map((name) => `${seed}/${name}`)];
}

/** The one page from which no article can be generated. */
const unwritable = `${siteOrigin}/billing/late-return-fees`;

/** Why generation fails for a page with this URL; null where it does not. */
export function generationFailure(url: string | null): string | null {
  return url !== null && isWebUrl(url) && comparableUrl(url) === unwritable
    ? 'Generation failed: the draft contradicted its source in two amounts'
    : null;
}

/** Whether the page only leads on to others, so that there is nothing in it to write about. */
export function isOverview(url: string | null): boolean {
  if (url === null || !isWebUrl(url)) return false;
  const address = comparableUrl(url);
  if (knownOrigins.includes(new URL(url).origin)) {
    return knownPages.some((page) => page.url.startsWith(`${address}/`));
  }
  return /\/overview$/.test(address);
}

function madeUpContent(address: string): Content {
  const name = address.slice(address.lastIndexOf('/') + 1).replaceAll('-', ' ');
  return {
    title: name.charAt(0).toUpperCase() + name.slice(1),
    paragraphs: [`All about ${name}: what it is, who may use it, and where to find it.`],
    failure: null,
  };
}
