// The runtime's Linux builds upload usage data unless this is set before they are loaded.
process.env['ORT_DISABLE_TELEMETRY'] = '1';
