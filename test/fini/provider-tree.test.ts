import { describe, expect, test } from 'vitest';
import { flattenProviderTree, type Provider } from '../../src/fini/provider-tree.ts';

const page = { externalId: 'p1', title: 'Page 1', originalUrl: 'https://n.example/1' };
const leaf = { ...page, mimeType: 'text/html', object: undefined, path: [] };

const none = { resources: [], containers: [], translations: [], unreadable: 0 };

const flatten = (provider: Provider, answer: unknown) => flattenProviderTree(provider, answer);
const titles = (provider: Provider, answer: unknown) =>
  flatten(provider, answer).resources.map(({ title, path }) => [...path, title].join(' > '));

describe('a leaf is read whatever its fields are called', () => {
  test.each<[what: string, node: object, resource: object]>([
    ['the contract’s names', page, leaf],
    ['short names', { id: 'p1', name: 'Page 1', url: 'https://n.example/1' }, leaf],
    ['Zendesk’s names', { id: 'p1', title: 'Page 1', html_url: 'https://n.example/1' }, leaf],
    ['other names of a URL', { id: 'p1', title: 'Page 1', webUrl: 'https://n.example/1' }, leaf],
    ['a link', { key: 'p1', title: 'Page 1', link: 'https://n.example/1' }, leaf],
    ['both names, the contract’s first', { ...page, id: 'x', url: 'x', name: 'x' }, leaf],
    ['empty ones passed over', { ...page, externalId: '', id: 'p1' }, leaf],
    ['null ones passed over', { ...page, title: null, name: 'Page 1' }, leaf],
    [
      'a number for an ID',
      { ...page, externalId: 4402118230 },
      { ...leaf, externalId: '4402118230' },
    ],
    ['zero for an ID', { ...page, externalId: 0 }, { ...leaf, externalId: '0' }],
    ['no title', { ...page, title: null }, { ...leaf, title: page.originalUrl }],
    ['a title that is no text', { ...page, title: [{}] }, { ...leaf, title: page.originalUrl }],
    [
      'a MIME type',
      { ...page, mimeType: 'application/pdf' },
      { ...leaf, mimeType: 'application/pdf' },
    ],
    ['an empty MIME type', { ...page, mimeType: '' }, leaf],
    ['what it is', { ...page, object: 'database' }, { ...leaf, object: 'database' }],
    ['its type', { ...page, type: 'page' }, { ...leaf, object: 'page' }],
    ['more than is known', { ...page, iconLink: 'x', archived: true, __proto__: {} }, leaf],
  ])('%s', (_what, node, resource) => {
    expect(flatten('notion', [node])).toEqual({ ...none, resources: [resource] });
  });
});

describe('nesting', () => {
  test.each<[what: string, provider: Provider, answer: unknown, expected: string[]]>([
    [
      'a flat list',
      'notion',
      [page, { ...page, externalId: 'p2', title: 'Page 2' }],
      ['Page 1', 'Page 2'],
    ],
    [
      'Notion pages with pages below',
      'notion',
      [{ ...page, children: [{ ...page, externalId: 'p2', title: 'Page 2' }] }],
      ['Page 1', 'Page 1 > Page 2'],
    ],
    [
      'Zendesk’s three levels',
      'zendesk',
      [
        {
          object: 'category',
          id: 1,
          name: 'Money',
          children: [
            {
              object: 'section',
              id: 2,
              name: 'Charges',
              children: [{ ...page, object: 'article' }],
            },
          ],
        },
      ],
      ['Money > Charges > Page 1'],
    ],
    [
      'Zendesk without `object`',
      'zendesk',
      [{ id: 1, title: 'Money', sections: [{ id: 2, title: 'Charges', articles: [page] }] }],
      ['Money > Charges > Page 1'],
    ],
    [
      'sections and articles side by side',
      'zendesk',
      [
        {
          id: 1,
          title: 'Money',
          sections: [{ id: 2, title: 'Charges', articles: [page] }],
          articles: [{ ...page, externalId: 'p2', title: 'Page 2' }],
        },
      ],
      ['Money > Charges > Page 1', 'Money > Page 2'],
    ],
    [
      'Confluence pages in pages',
      'confluence',
      [
        {
          key: 'OPS',
          title: 'Operations',
          url: 'https://n.example/ops',
          pages: [{ ...page, pages: [{ ...page, externalId: 'p2', title: 'Page 2', pages: [] }] }],
        },
      ],
      ['Operations > Page 1', 'Operations > Page 1 > Page 2'],
    ],
    [
      'a Confluence space without a title',
      'confluence',
      [{ key: 'OPS', pages: [page] }],
      ['OPS > Page 1'],
    ],
    ['a container without any name', 'zendesk', [{ children: [page] }], ['untitled > Page 1']],
    [
      'a Confluence page with an empty list in a space',
      'confluence',
      [{ key: 'A', pages: [{ ...page, children: [] }] }],
      ['A > Page 1'],
    ],
    [
      'a Zendesk article with an empty list',
      'zendesk',
      [{ ...page, object: 'article', children: [] }],
      ['Page 1'],
    ],
    [
      '`object` in capitals',
      'zendesk',
      [{ object: 'Category', name: 'Money', children: [page] }],
      ['Money > Page 1'],
    ],
  ])('%s', (_what, provider, answer, expected) => {
    expect(titles(provider, answer)).toEqual(expected);
    expect(flatten(provider, answer).unreadable).toBe(0);
  });

  test('containers without children are neither resources nor errors', () => {
    const containers = [
      { object: 'category', id: 1, name: 'Empty', children: [] },
      { object: 'section', id: 2, name: 'Bare', url: 'https://n.example/2' },
    ];
    const empty = { originalUrl: null, items: [] };
    expect(flatten('zendesk', containers)).toEqual({
      ...none,
      containers: [
        { ...empty, ids: ['1'], title: 'Empty', kind: 'category' },
        {
          ...empty,
          ids: ['2'],
          title: 'Bare',
          kind: 'section',
          originalUrl: 'https://n.example/2',
        },
      ],
    });
    const spaces = [{ key: 'OPS', title: 'Empty', url: 'https://n.example/ops', pages: [] }];
    const space = { ids: ['OPS'], title: 'Empty', kind: 'space', items: [] };
    expect(flatten('confluence', spaces)).toEqual({
      ...none,
      containers: [{ ...space, originalUrl: 'https://n.example/ops' }],
    });
  });

  test('children of an unreadable page are still found', () => {
    const answer = [{ title: 'No ID', children: [page] }];
    expect(titles('notion', answer)).toEqual(['No ID > Page 1']);
    expect(flatten('notion', answer)).toMatchObject({
      unreadable: 1,
      containers: [{ title: 'No ID', kind: 'container', items: ['p1'] }],
    });
  });

  test('a container has the items below it, at any depth, and no others', () => {
    const leafOf = (id: string) => ({ ...page, externalId: id });
    const section = { object: 'section', id: 2, children: [leafOf('b')] };
    const category = { object: 'category', id: 1, children: [leafOf('a'), section] };
    const { containers } = flatten('zendesk', [category, leafOf('c')]);
    expect(containers.map(({ ids, items }) => [ids, items])).toEqual([
      [['2'], ['b']],
      [['1'], ['a', 'b']],
    ]);
  });

  test('the same ID in two places is one resource, the first', () => {
    const answer = ['A', 'B'].map((name) => ({ object: 'section', name, children: [page] }));
    expect(titles('zendesk', answer)).toEqual(['A > Page 1']);
    expect(flatten('zendesk', answer).translations).toEqual([]);
  });

  test('the same ID with another URL is a translation, once', () => {
    const other = { ...page, title: 'Seite 1', originalUrl: 'https://n.example/de/1' };
    const { resources, translations } = flatten('zendesk', [page, other, other]);
    expect(resources.map(({ title }) => title)).toEqual(['Page 1']);
    expect(translations.map(({ title }) => title)).toEqual(['Seite 1']);
  });

  test('a tree of 200 levels is read to a realistic depth, and the rest is counted', () => {
    let node: object = { id: 'p200', title: 'Page 200', url: 'https://n.example/200' };
    for (let level = 199; level >= 0; level -= 1) {
      node = {
        id: `p${level}`,
        title: `Page ${level}`,
        url: `https://n.example/${level}`,
        pages: [node],
      };
    }
    const { resources, unreadable } = flatten('notion', [node]);
    expect(resources.length).toBeGreaterThan(50);
    expect(resources.at(-1)?.path).toHaveLength(resources.length - 1);
    expect(unreadable).toBeGreaterThan(0);
  });

  test('a tree of 100,000 levels does not crash the process', () => {
    const root: { pages: object[] } = { pages: [] };
    let { pages } = root;
    for (let level = 0; level < 100_000; level += 1) {
      const child = { ...page, externalId: `p${level}`, pages: [] };
      pages.push(child);
      pages = child.pages;
    }
    expect(flatten('notion', root.pages).unreadable).toBeGreaterThan(0);
  });

  test('200,000 resources are flattened in linear time', () => {
    const answer = Array.from({ length: 200_000 }, (_, id) => ({ ...page, externalId: id }));
    // Quadratic time would exceed the test's timeout many times over.
    expect(flatten('notion', answer).resources).toHaveLength(200_000);
  });
});

describe('what cannot be read is counted', () => {
  test.each<[what: string, node: unknown]>([
    ['null', null],
    ['text', 'p1'],
    ['a number', 1],
    ['a list', [page]],
    ['an empty object', {}],
    ['no ID', { ...page, externalId: undefined }],
    ['an ID that is an object', { ...page, externalId: {} }],
    ['an ID that JSON could not hold exactly', { ...page, externalId: 2 ** 60 }],
    ['no URL', { ...page, originalUrl: null }],
    ['an empty URL', { ...page, originalUrl: '' }],
  ])('%s', (_what, node) => {
    const other = { ...page, externalId: 'other' };
    const { resources, unreadable } = flatten('notion', [other, node]);
    expect(resources.map(({ externalId }) => externalId)).toEqual(['other']);
    expect(unreadable).toBe(1);
  });
});

describe('the answer as a whole', () => {
  test.each(['data', 'resources', 'pages', 'children'])('can be in `%s`', (name) => {
    expect(titles('notion', { [name]: [page] })).toEqual(['Page 1']);
  });

  test.each(['notion', 'zendesk', 'confluence'] as const)(
    'of %s may be an empty list',
    (provider) => {
      expect(flatten(provider, [])).toEqual(none);
      expect(flatten(provider, { resources: [] })).toEqual(none);
    },
  );

  test.each<[what: string, answer: unknown]>([
    ['null', null],
    ['text', 'none'],
    ['a number', 7],
    ['an empty object', {}],
    ['an envelope that nobody knows', { items: [page] }],
    ['a message', { message: 'Try later' }],
    ['undefined', undefined],
  ])('is not taken for empty where it is %s', (_what, answer) => {
    let unreadable = 0;
    try {
      unreadable = flatten('notion', answer).unreadable;
    } catch {
      unreadable = 1;
    }
    expect(unreadable).toBeGreaterThan(0);
  });
});
