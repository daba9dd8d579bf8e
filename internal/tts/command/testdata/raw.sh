#!/bin/sh
# Speaks without a header.
exec cat
