import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { SECURITY_SCHEME } from '../access/least-role.js';

/** The OpenAPI document of the whole API. */
export function describeApi(app: NestFastifyApplication): OpenAPIObject {
  const description = new DocumentBuilder()
    .setTitle('Espalier')
    .setDescription('Train once, fit every device. Errors are problem+json with stable codes.')
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, SECURITY_SCHEME)
    .build();
  return SwaggerModule.createDocument(app, description);
}
