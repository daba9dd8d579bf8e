#!/bin/sh
# Crashes as espeak-ng does.
kill -SEGV $$
