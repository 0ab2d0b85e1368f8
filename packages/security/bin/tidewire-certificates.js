#!/usr/bin/env node
import '../dist/certificates-main.js'
