defmodule SnakepitBridge.Blob do
  @moduledoc """
  Bytes that are no text.

  Strings of a value are UTF-8. Everything else that is binary travels as a blob, which Python sees
  as `bytes`:

      %SnakepitBridge.Blob{data: <<0, 255>>}

  A blob that comes from Python is not copied: `data` is a binary over the memory of the value, and
  keeps it alive as long as the binary or a part of it lives. `:binary.copy/1` makes it its own.
  """

  @enforce_keys [:data]
  defstruct [:data]

  @typedoc "Bytes."
  @type t :: %__MODULE__{data: binary()}
end
