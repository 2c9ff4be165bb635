package plan

import _ "embed" // for the schema

// Schema is the JSON Schema (draft 2020-12) of a manifest.
//
//go:embed manifest.schema.json
var Schema string
