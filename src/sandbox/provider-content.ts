import resources from './content/provider-resources.json' with { type: 'json' };
import texts from './content/provider-texts.json' with { type: 'json' };
import { type Content, madeUpContent, webContent } from './content.ts';
import type { ProviderName } from './requests.ts';
import type { SandboxDocument } from './sandbox-document.ts';

type ZendeskNode = { object: string; id: number; children?: ZendeskNode[] };
type ConfluencePage = { id: string; pages: ConfluencePage[] };

const textsById = new Map(Object.entries(texts));

/** The content of a provider's resource, made up if the sandbox does not know this ID. */
export function providerContent(externalId: string, title: string): Content {
  const text = textsById.get(externalId);
  return { ...madeUpContent(title), title, ...(text !== undefined && { paragraphs: [text] }) };
}

/** The result of ingesting this record. */
export function contentOf({ source, originalUrl, externalId, title }: SandboxDocument): Content {
  return source === 'web' && originalUrl !== null
    ? webContent(originalUrl)
    : providerContent(externalId ?? '', title ?? 'Untitled');
}

/** Lists the resources that are not registered yet, in the provider's own shape. */
export function providerResources(
  provider: ProviderName,
  registered: Set<string | null>,
): object[] {
  switch (provider) {
    case 'notion':
      return resources.notion.filter(({ externalId }) => !registered.has(externalId));
    case 'zendesk':
      return withoutArticles(resources.zendesk, registered);
    case 'confluence':
      return resources.confluence.map((space) => ({
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

/** Replaces a registered page by the pages below it, so that these can still be found. */
function withoutPages(pages: ConfluencePage[], registered: Set<string | null>): ConfluencePage[] {
  return pages.flatMap((page) => {
    const below = withoutPages(page.pages, registered);
    return registered.has(page.id) ? below : [{ ...page, pages: below }];
  });
}
