#!/usr/bin/env node
import './lean.js';

// Loaded only now, so that the settings above hold for all of it.
await import('./start.js');
