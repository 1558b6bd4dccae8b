package credential

// OnGoogle and MetadataTokens are how credentials are found that are not there yet.
var (
	OnGoogle       = onGoogle
	MetadataTokens = metadataTokens
)
