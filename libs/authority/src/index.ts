export {
  CertificateAuthority,
  type CertificateRequest,
  type Identity,
  type IssuedCertificate,
} from './certificate-authority.js';
export * from './identities.js';
export * from './mosquitto.js';
