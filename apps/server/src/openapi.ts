import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule, type Foundations } from './app.module.js';
import { parseConfiguration } from './configuration.js';
import { describeApi } from './http/api-description.js';

// In preview nothing is made but the routes, so what the server stands on may be absent.
const foundations = {
  configuration: parseConfiguration({}),
  database: {},
  keyring: {},
} as unknown as Foundations;

const app = await NestFactory.create<NestFastifyApplication>(
  AppModule.on(foundations),
  new FastifyAdapter(),
  { preview: true, abortOnError: false, logger: false },
);
process.stdout.write(`${JSON.stringify(describeApi(app), null, 1)}\n`);
