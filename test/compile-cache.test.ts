import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
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
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ownFolder } from '../src/compile-cache.ts';
import { CLI, eventually } from './harness.ts';

const folders: string[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fini-mcp-test-'));
  folders.push(folder);
  return folder;
}

if (process.getuid !== undefined)
  describe('the folder of the cache', () => {
    test('is made for its owner alone, and taken again', () => {
      const home = join(temporaryFolder(), 'cache');
      const folder = join(home, 'fini-mcp');
      expect(ownFolder(home)).toBe(folder);
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      expect(ownFolder(home)).toBe(folder);
    });

    test('of someone else is not taken', () => {
      // Only root can give a folder away; other users test with a folder of root's.
      const home = temporaryFolder();
      const folder = join(home, 'fini-mcp');
      mkdirSync(folder, { mode: 0o700 });
      if (process.getuid?.() === 0) chownSync(folder, 12_345, 12_345);
      else vi.spyOn(process, 'getuid').mockReturnValue(12_345);
      expect(ownFolder(home)).toBeNull();
    });

    test.each([0o770, 0o702, 0o777])('that others can write to is not taken: %o', (mode) => {
      const home = temporaryFolder();
      mkdirSync(join(home, 'fini-mcp'));
      chmodSync(join(home, 'fini-mcp'), mode);
      expect(ownFolder(home)).toBeNull();
    });

    test.each<[what: string, make: (folder: string, home: string) => void]>([
      ['a link', (folder, home) => symlinkSync(home, folder)],
      ['a link to nowhere', (folder, home) => symlinkSync(join(home, 'nowhere'), folder)],
      ['a file', (folder) => writeFileSync(folder, '')],
    ])('is not %s', (_what, make) => {
      const home = temporaryFolder();
      make(join(home, 'fini-mcp'), home);
      expect(ownFolder(home)).toBeNull();
    });
  });

/** Runs a built server until it ends, and closes its stdin after this time. */
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

/** The variables that name the temporary folder on any system. */
const temporaryAt = (folder: string) => ({ TMPDIR: folder, TEMP: folder, TMP: folder });

/** The variables that name the home folder and the cache home on any system. */
const homeAt = (home: string) => ({ HOME: home, XDG_CACHE_HOME: home });

test('the server keeps its cache in the cache home, and nothing in the temporary folder', async () => {
  const [temporary, home] = [temporaryFolder(), temporaryFolder()];
  const environment = { ...temporaryAt(temporary), ...homeAt(home) };
  const ended = await run(CLI, environment, ['--sandbox'], 1_500);
  expect(ended).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(readdirSync(temporary)).toEqual([]);
  expect(existsSync(join(home, 'fini-mcp'))).toBe(canCache);
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

    // The attacker compiles code of their own and passes it off as the server's.
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

    // If the user points Node to this cache, the planted code runs: the attack works.
    await run(cli, { NODE_COMPILE_CACHE: cache });
    await eventually(() => expect(existsSync(proof)).toBe(true));
    rmSync(proof);

    const environment = { ...temporaryAt(shared), ...homeAt(join(folder, 'own')) };
    const ended = await run(cli, environment, ['--version']);
    expect(ended.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(existsSync(proof)).toBe(false);
  });

/** The name that Node gives to a file's content in its cache. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
