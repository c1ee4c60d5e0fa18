defmodule SnakepitBridge.Native.VectorsTest do
  # The shared examples of tests/vectors/values.json: what is accepted comes back the same from a
  # term, what is refused names its place. The file is read with the library's own reader.
  use SnakepitBridge.NativeCase, async: true

  setup_all do
    # The examples hold documents that look like tags, so they are escaped before they are read.
    file = File.read!(Path.join(root(), "tests/vectors/values.json"))
    {:ok, value} = Native.value_from_json(file)
    {:ok, vectors} = Native.value_decode(value)
    {:ok, vectors: vectors}
  end

  test "accepted documents come back as they were", %{vectors: vectors} do
    accepted = vectors["accepted"]
    assert length(accepted) > 90
    for vector <- accepted, do: accepts(vector)
  end

  test "refused documents name their place", %{vectors: vectors} do
    refused = vectors["refused"]
    assert length(refused) > 20

    for %{"name" => name} = vector <- refused, Map.get(vector, "attachments", []) == [] do
      assert {:error, %Error{} = error} = Native.value_from_json(document(vector)), name
      assert error.status == if(vector["fault"] == "utf8", do: :utf8, else: :invalid_argument)
      if vector["path"], do: assert(error.details["path"] == vector["path"], name)
    end
  end

  test "floats that are not finite are atoms", %{vectors: vectors} do
    atoms = %{"nan" => :nan, "inf" => :infinity, "-inf" => :neg_infinity}

    for %{"json" => json, "python" => python, "name" => name} <- vectors["floats"] do
      {:ok, value} = Native.value_from_json(json)
      assert {:ok, term} = Native.value_decode(value)
      expected = Map.get(atoms, python, [1.5, %{"a" => :neg_infinity}])
      assert term == expected, name
      assert Native.value_decode(value(term)) == {:ok, term}
    end
  end

  test "tensors that cannot be are refused", %{vectors: vectors} do
    refused = vectors["refused_tensors"]
    assert length(refused) > 8

    for %{"name" => name} = tensor <- refused do
      assert {:error, %Error{status: :invalid_argument}} = Native.value_encode(tensor(tensor)),
             name
    end
  end

  defp accepts(%{"name" => name} = vector) do
    json = document(vector)
    attachments = Enum.map(Map.get(vector, "attachments", []), &attachment/1)

    if attachments == [] do
      {:ok, value} = Native.value_from_json(json)
      {:ok, term} = Native.value_decode(value)
      {:ok, again} = Native.value_decode(value(term))
      assert again === term, name
      # Members of maps have no order in Elixir: the text is compared where there is one member.
      canonical = Map.get(vector, "canonical", json)
      if ordered?(term), do: assert(json(term) == canonical, name)
    else
      term = terms(json, attachments)
      assert {:ok, ^term} = Native.value_decode(value(term)), name
    end
  end

  # The term of a document whose tags stand for `attachments`.
  defp terms(json, attachments) do
    {:ok, value} = Native.value_from_json(String.replace(json, "$spb", "$$spb"))
    {:ok, term} = Native.value_decode(value)
    fill(term, attachments)
  end

  defp fill(%{"$spb" => %{"attachment" => index}}, all), do: Enum.at(all, index)
  defp fill(map, all) when is_map(map), do: Map.new(map, fn {k, v} -> {k, fill(v, all)} end)
  defp fill(list, all) when is_list(list), do: Enum.map(list, &fill(&1, all))
  defp fill(other, _), do: other

  defp ordered?(map) when is_map(map) and map_size(map) > 1, do: false
  defp ordered?(map) when is_map(map), do: Enum.all?(Map.values(map), &ordered?/1)
  defp ordered?(list) when is_list(list), do: Enum.all?(list, &ordered?/1)
  defp ordered?(float) when is_float(float), do: false
  defp ordered?(_), do: true

  defp document(%{"json" => json}), do: json
  defp document(%{"json_hex" => hex}), do: Base.decode16!(hex, case: :lower)

  defp document(%{"repeat" => %{"open" => open, "close" => close, "times" => times} = repeat}) do
    String.duplicate(open, times) <>
      Map.get(repeat, "middle", "") <> String.duplicate(close, times)
  end

  defp attachment(%{"blob_hex" => hex}), do: %Blob{data: Base.decode16!(hex, case: :lower)}
  defp attachment(%{"tensor" => tensor}), do: tensor(tensor)

  defp tensor(%{"dtype" => dtype, "shape" => shape, "data_hex" => hex}) do
    %Tensor{
      dtype: String.to_atom(dtype),
      shape: List.to_tuple(shape),
      data: Base.decode16!(hex, case: :lower)
    }
  end
end
