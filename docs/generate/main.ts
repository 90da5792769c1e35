import { mkdirSync, writeFileSync } from 'node:fs';
import { PAGES } from './pages.js';
import { ROOT } from './sources.js';

const folder = `${ROOT}docs/reference`;
mkdirSync(folder, { recursive: true });
for (const [name, make] of Object.entries(PAGES)) {
  writeFileSync(`${folder}/${name}`, await make());
  console.error(`docs/reference/${name}`);
}
