"""The API's description of itself: an OpenAPI document, made from what serves the API, and its page."""
