import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import module from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { cacheFolder, isOwnFolder } from '../src/compile-cache.ts';
import { CLI, eventually } from './harness.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fini-mcp-test-'));
  folders.push(folder);
  return folder;
}

test.each<[string, NodeJS.Platform, Record<string, string>, string | null, string | null]>([
  ['XDG_CACHE_HOME', 'linux', { XDG_CACHE_HOME: '/x' }, '/home/ann', '/x/fini-mcp'],
  ['a relative one', 'linux', { XDG_CACHE_HOME: 'x' }, '/home/ann', '/home/ann/.cache/fini-mcp'],
  ['Linux', 'linux', {}, '/home/ann', '/home/ann/.cache/fini-mcp'],
  ['macOS', 'darwin', {}, '/Users/ann', '/Users/ann/Library/Caches/fini-mcp'],
  ['Windows', 'win32', { LOCALAPPDATA: 'C:\\L' }, 'C:\\ann', 'C:\\L\\fini-mcp'],
  ['Windows without it', 'win32', {}, 'C:\\ann', null],
  ['no home', 'linux', { TMPDIR: '/tmp' }, null, null],
  ['a relative home', 'linux', {}, 'ann', null],
])('the place of the cache: %s', (_what, platform, environment, home, folder) => {
  expect(cacheFolder(platform, environment, home)).toBe(folder);
});

if (process.getuid !== undefined)
  describe('the folder of the cache', () => {
    const uid = process.getuid?.() ?? 0;

    test('is made for its owner alone, and taken again', () => {
      const folder = join(temporaryFolder(), 'cache', 'fini-mcp');
      expect(isOwnFolder(folder, uid)).toBe(true);
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      expect(isOwnFolder(folder, uid)).toBe(true);
    });

    test('of somebody else is not taken', () => {
      const folder = join(temporaryFolder(), 'fini-mcp');
      mkdirSync(folder, { mode: 0o700 });
      expect(isOwnFolder(folder, uid + 1)).toBe(false);
    });

    test.each([0o770, 0o702, 0o777])('that others can write to is not taken: %o', (mode) => {
      const folder = join(temporaryFolder(), 'fini-mcp');
      mkdirSync(folder);
      chmodSync(folder, mode);
      expect(isOwnFolder(folder, uid)).toBe(false);
    });

    test('in one in which others can replace it is not taken, unless only owners can', () => {
      const parent = temporaryFolder();
      chmodSync(parent, 0o777);
      expect(isOwnFolder(join(parent, 'fini-mcp'), uid)).toBe(false);
      chmodSync(parent, 0o1777);
      expect(isOwnFolder(join(parent, 'fini-mcp'), uid)).toBe(true);
    });

    test('is no link, no file, and nothing that cannot be made', () => {
      const parent = temporaryFolder();
      const target = join(parent, 'target');
      mkdirSync(target, { mode: 0o700 });
      symlinkSync(target, join(parent, 'link'));
      symlinkSync(join(parent, 'nowhere'), join(parent, 'dangling'));
      writeFileSync(join(parent, 'file'), '');
      for (const name of ['link', 'dangling', 'file', 'file/fini-mcp']) {
        expect(isOwnFolder(join(parent, name), uid), name).toBe(false);
      }
      expect(lstatSync(join(parent, 'link')).isSymbolicLink()).toBe(true);
    });
  });

/** Runs a built server to its end, with an end of stdin after this time. */
async function run(cli: string, env: Record<string, string>, args: string[] = [], ms = 0) {
  const child = spawn(process.execPath, [cli, ...args], { env, stdio: 'pipe' });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk;
  });
  const ended = once(child, 'close');
  setTimeout(() => child.stdin.end(), ms);
  const [code] = await ended;
  return { code, ...said };
}

const canCache = 'enableCompileCache' in module;

/** The variables that name the temporary folder, on each system. */
const temporaryAt = (folder: string) => ({ TMPDIR: folder, TEMP: folder, TMP: folder });

/** The variables that name the home folder and the cache home, on each system. */
const homeAt = (home: string) => ({ HOME: home, XDG_CACHE_HOME: home, LOCALAPPDATA: home });

test('the server keeps its cache in the cache home, and nothing in the temporary folder', async () => {
  const [temporary, home] = [temporaryFolder(), temporaryFolder()];
  const environment = { ...temporaryAt(temporary), ...homeAt(home) };
  const ended = await run(CLI, environment, ['--sandbox'], 1_500);
  expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(temporary)).toEqual([]);
  const cache = cacheFolder(process.platform, environment, home) ?? '';
  expect(cache.startsWith(home)).toBe(true);
  expect(existsSync(cache)).toBe(canCache);
});

test('a cache that cannot be made stops nothing and says nothing', async () => {
  const temporary = temporaryFolder();
  const file = join(temporary, 'file');
  writeFileSync(file, '');
  const environment = { ...temporaryAt(temporary), ...homeAt(file) };
  const ended = await run(CLI, environment, ['--version']);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(temporary)).toEqual(['file']);
});

if (canCache)
  test('NODE_COMPILE_CACHE is respected', async () => {
    const [NODE_COMPILE_CACHE, home] = [temporaryFolder(), temporaryFolder()];
    await run(CLI, { NODE_COMPILE_CACHE, ...homeAt(home) }, ['--version']);
    expect(readdirSync(NODE_COMPILE_CACHE)).not.toEqual([]);
    expect(readdirSync(home)).toEqual([]);
  });

if (canCache)
  test('code planted in the shared temporary folder never runs', async () => {
    const folder = temporaryFolder();
    const dist = join(folder, 'dist');
    cpSync(dirname(CLI), dist, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const cli = join(dist, 'cli.js');
    const chunks = join(dist, 'chunks');
    const name = readdirSync(chunks).find((file) => /^main-.*\.js$/.test(file)) ?? '';
    const original = readFileSync(join(chunks, name));
    const proof = join(folder, 'proof');
    const start = `import fs from 'node:fs'; fs.writeFileSync(${JSON.stringify(proof)}, ''); export const main = async () => {}; /*`;
    const planted = Buffer.alloc(original.length, 'x');
    planted.write(start);
    planted.write('*/', original.length - 2);

    // The attacker compiles code of their own, and says that it is the server's.
    const shared = join(folder, 'shared');
    const cache = join(shared, 'node-compile-cache');
    writeFileSync(join(chunks, name), planted);
    await run(cli, { NODE_COMPILE_CACHE: cache });
    expect(existsSync(proof)).toBe(true);
    rmSync(proof);
    writeFileSync(join(chunks, name), original);
    let patched = 0;
    for (const file of readdirSync(cache, { recursive: true, encoding: 'utf8' })) {
      const path = join(cache, file);
      if (!statSync(path).isFile()) continue;
      const entry = readFileSync(path);
      for (let at = 0; at < 40; at += 4) {
        if (entry.readUInt32LE(at) !== crc32(planted)) continue;
        entry.writeUInt32LE(crc32(original), at);
        writeFileSync(path, entry);
        patched += 1;
      }
    }
    expect(patched).toBe(1);

    // Where the user themselves point Node to it, it runs: the plant is a working one.
    await run(cli, { NODE_COMPILE_CACHE: cache });
    await eventually(() => expect(existsSync(proof)).toBe(true));
    rmSync(proof);

    const environment = { ...temporaryAt(shared), ...homeAt(join(folder, 'own')) };
    const ended = await run(cli, environment, ['--version']);
    expect(ended.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(existsSync(proof)).toBe(false);
  });

/** As Node names a file's content in its cache. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
