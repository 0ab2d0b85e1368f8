#!/usr/bin/env node
import '../dist/passwd-main.js'
