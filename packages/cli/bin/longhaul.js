#!/usr/bin/env -S node --conditions=longhaul-source
import '../src/main.ts'
