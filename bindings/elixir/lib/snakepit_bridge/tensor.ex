defmodule SnakepitBridge.Tensor do
  @moduledoc """
  A dense array, which Python sees as a `numpy.ndarray`.

      %SnakepitBridge.Tensor{
        dtype: :float32,
        shape: {2, 2},
        data: <<1.0::float-32-little, 2.0::float-32-little, 3.0::float-32-little,
                4.0::float-32-little>>
      }

  `data` holds the elements in row-major order, little-endian, without gaps. `shape` may be given as
  a tuple or a list; tensors that come from Python have a tuple. A scalar has the shape `{}`.

  The data of a tensor that comes from Python is not copied: it is a binary over the memory of the
  value, and keeps it alive as long as the binary or a part of it lives. With Nx,
  `Nx.from_binary(tensor.data, {:f, 32}) |> Nx.reshape(tensor.shape)` reads it.
  """

  @enforce_keys [:dtype, :shape, :data]
  defstruct [:dtype, :shape, :data]

  @typedoc "The type of the elements."
  @type dtype ::
          :bool
          | :int8
          | :int16
          | :int32
          | :int64
          | :uint8
          | :uint16
          | :uint32
          | :uint64
          | :float16
          | :bfloat16
          | :float32
          | :float64

  @typedoc "Elements, and the sides that they are arranged in."
  @type t :: %__MODULE__{
          dtype: dtype(),
          shape: tuple() | [non_neg_integer()],
          data: binary()
        }
end
