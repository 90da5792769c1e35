/** What an account may do, from least to most; each may do all that those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whether a role may do what asks for `least`. */
export const atLeast = (role: Role, least: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(least);

/** The lesser of two roles. */
export const lesser = (a: Role, b: Role): Role => (atLeast(a, b) ? b : a);
