import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { Database } from '../persistence/database.js';

/** Figures of this server for Prometheus. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  private readonly messages = new Counter({
    name: 'espalier_device_messages_total',
    help: 'Messages of devices, by kind and outcome',
    labelNames: ['kind', 'outcome'] as const,
    registers: [this.registry],
  });
  private readonly requests = new Histogram({
    name: 'espalier_http_request_seconds',
    help: 'Time to answer an API request',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5],
    registers: [this.registry],
  });
  private readonly chunkBytes = new Counter({
    name: 'espalier_chunk_bytes_total',
    help: 'Payload bytes of chunks sent',
    registers: [this.registry],
  });

  constructor(database: Database) {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'espalier_devices',
      help: 'Devices by state',
      labelNames: ['state'] as const,
      registers: [this.registry],
      async collect() {
        const groups = await database.read.device.groupBy({ by: ['state'], _count: true });
        this.reset();
        for (const group of groups) this.set({ state: group.state }, group._count);
      },
    });
    new Gauge({
      name: 'espalier_writes_waiting',
      help: 'Database writes waiting for the next transaction',
      registers: [this.registry],
      collect() {
        this.set(database.queued);
      },
    });
  }

  countMessage(kind: string, outcome: 'taken' | 'refused' | 'dropped'): void {
    this.messages.inc({ kind, outcome });
  }

  countChunk(bytes: number): void {
    this.chunkBytes.inc(bytes);
  }

  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.requests.observe({ method, route, status: String(status) }, seconds);
  }
}
