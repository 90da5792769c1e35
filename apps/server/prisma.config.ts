import { PrismaBetterSQLite3 } from '@prisma/adapter-better-sqlite3';
import { defineConfig } from 'prisma/config';

/** Needs no engine binary: the schema is read, and SQL for a migration is made, through the adapter. */
export default defineConfig({
  schema: '../../prisma/sqlite/schema.prisma',
  engine: 'js',
  experimental: { adapter: true },
  adapter: () => Promise.resolve(new PrismaBetterSQLite3({ url: ':memory:' })),
});
