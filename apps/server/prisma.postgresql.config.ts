import { PrismaPg } from '@prisma/adapter-pg';
import { defineConfig } from 'prisma/config';

/** As {@link ./prisma.config.ts}, for the second client. */
export default defineConfig({
  schema: '../../prisma/postgresql/schema.prisma',
  engine: 'js',
  experimental: { adapter: true },
  adapter: () =>
    Promise.resolve(new PrismaPg({ connectionString: 'postgresql://localhost/espalier' })),
});
